// Clients of the live push, as a careful one would be written: it remembers what it has seen, checks
// that every stream comes without gap or double, and resumes from the last cursor it was given.
import assert from 'node:assert/strict';
import { socket } from './client.mjs';
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

export const isEvent = (frame) => frame.stream !== undefined && frame.seq !== undefined;

/** The events that a socket has got, in order. */
export const eventsOf = (ws) => ws.frames.filter(isEvent);

/**
 * One user's client over all of its connections. `seen` has every event, in order; an event that is
 * not its stream's next is a failed test. After a resync the numbers go on from what came first.
 */
export class Follower {
  constructor(person) {
    this.person = person;
    this.last = new Map();      // stream → seq
    this.seen = [];
    this.cursor = undefined;
    this.resyncs = [];
    this.fault = null;
  }

  take(frame) {
    if (frame.type === 'resync') {
      this.resyncs.push(frame);
      if (frame.stream) this.last.delete(frame.stream);
      else this.last.clear();
    }
    if (frame.cursor) this.cursor = frame.cursor;
    if (!isEvent(frame)) return;
    const expected = (this.last.get(frame.stream) ?? frame.seq - 1) + 1;
    if (frame.seq !== expected) {
      this.fault ??= new Error(`${this.person.name}: stream ${frame.stream} came with ${frame.seq}, not ${expected}`);
    }
    this.last.set(frame.stream, frame.seq);
    this.seen.push(frame);
  }

  /** Connects with the cursor it has; resolves once greeted. Ends the connection it had. */
  async connect(server, options) {
    await this.leave();
    const ws = await socket(server, { token: this.person.token, cursor: this.cursor, ...options });
    this.ws = ws;
    // What came before we could listen has been kept; from here on frames are taken as they come.
    for (const frame of ws.frames) this.take(frame);
    ws.ws.on('message', (bytes) => { if (this.ws === ws) this.take(JSON.parse(bytes.toString('utf8'))); });
    this.hello = await ws.next('hello', options);
    return this.hello;
  }

  /** Gone without a word, as a client on a train. What arrives afterwards is not taken. */
  async leave() {
    const ws = this.ws;
    this.ws = null;
    if (!ws) return;
    ws.terminate();
    await ws.closed();
  }

  /** Waits until so many events of a stream (the newest number of it) have come. */
  reached(stream, seq, options) {
    return until(() => this.check() && this.last.get(stream) >= seq, `${this.person.name}'s stream to reach ${seq}`,
      { final: (error) => error === this.fault, timeout: 20_000, ...options });
  }

  of(stream) { return this.seen.filter((frame) => frame.stream === stream); }

  check() {
    if (this.fault) throw this.fault;
    return true;
  }
}

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
