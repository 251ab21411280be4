// Sockets of the live push, one connection each, and what was heard by them. A client that lives longer than its
// connections is a Follower, see follower.mjs.
import assert from 'node:assert/strict';
import { socket } from './client.mjs';
import { isEvent } from './follower.mjs';
import { customer, fund } from './people.mjs';
import { until } from './wait.mjs';

/** A socket of the person's that has been greeted: a Socket with `hello`. */
export async function listen(server, person, options) {
  const ws = await socket(server, { token: person.token, ...options });
  ws.hello = await ws.next('hello', options);
  return ws;
}

/**
 * A socket that came back with this cursor and was sent `n` missed events before its greeting. What has
 * just been answered may reach the server's own push a moment later; then it is tried again.
 */
export function comeBack(server, person, cursor, n) {
  return until(async () => {
    const ws = await listen(server, person, { cursor });
    if (ws.hello.resumed === n) return ws;
    await ws.close();
    assert.ok(ws.hello.resumed < n, `${ws.hello.resumed} events are more than ${n}`);
    return null;
  }, `${n} events to be resumed`, { final: (error) => error.code === 'ERR_ASSERTION' });
}

/** The events that a socket has got, in order. */
export const eventsOf = (ws) => ws.frames.filter(isEvent);

/** These numbers, without gap: 3 … 7. */
export const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** The events of one stream have exactly these numbers, in order. */
export function assertNumbers(events, stream, first, last) {
  assert.deepEqual(events.filter((event) => event.stream === stream).map((event) => event.seq), range(first, last));
}

/** Resolves with a wait until each account's first event was pushed; who is greeted later does not hear it. */
async function told(server, person, accounts) {
  const witness = await listen(server, person);
  return async () => {
    for (const account of accounts) await witness.until((frame) => frame.stream === account._id && frame.seq === 1);
    await witness.close();
  };
}

/** Funds fresh accounts of the person's, and waits until all of these servers have told that first event. */
export async function fundFirst(servers, system, person, accounts, amount) {
  const waits = await Promise.all(servers.map((server) => told(server, person, accounts)));
  for (const account of accounts) await fund(system, account, amount);
  await Promise.all(waits.map((wait) => wait()));
}

/** A customer with one funded account, of which nothing is on its way any more: the next event has number 2. */
export async function settledCustomer(servers, system, { amount = 1000, ...who } = {}) {
  const all = [servers].flat();
  const person = await customer(all[0], system, { ...who, amount: 0 });
  await fundFirst(all, system, person, [person.account], amount);
  return person;
}
