// A worker process dies by SIGKILL under traffic, and is replaced. Its clients come back to whichever
// process answers; nobody misses an event or gets one twice, and no acknowledged transfer is lost.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { Follower } from '../lib/follower.mjs';
import { assertNumbers, settledCustomer } from '../lib/listen.mjs';
import { audit, balanceOf, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let server;
let system;
before(async () => {
  server = await startServer({ workers: 2 });
  await until(() => lives() === 2, 'both workers to know everything');
  system = await systemUser(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

const lives = () => server.logs.filter(({ area, event }) => area === 'live' && event === 'live').length;
const children = () => readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8');
const workers = () => children().trim().split(' ').map(Number);
const patiently = { timeout: 30_000 };

/** Whatever happens to the connection: the same key again, until an answer comes. */
async function persistently(act, what) {
  return until(async () => {
    const reply = await act();
    return reply.status === 503 ? null : reply;
  }, what, { timeout: 30_000 });
}

function traffic(ada, bob) {
  let running = true;
  let count = 0;
  const one = async () => {
    while (running) {
      const key = randomUUID();
      const once = () => transfer(ada, ada.account, bob.account, 0.01, key);
      const reply = await persistently(once, 'a transfer to be answered');
      assert.equal(reply.status, 200, reply.text);
      count += 1;
    }
  };
  const all = Promise.all([0, 1, 2, 3].map(one));
  return async () => { running = false; await all; return count; };
}

/** A client that comes back whenever it is cut off, until stop(). */
function keepConnected(follower) {
  let running = true;
  let connections = 0;
  const all = (async () => {
    while (running) {
      await until(() => follower.connect(server, { timeout: 5000 }), 'a process to answer', { timeout: 30_000 });
      connections += 1;
      await until(() => !running || follower.ws.end, 'the end', { timeout: 60_000 });
    }
  })();
  return async () => { running = false; await all; return connections; };
}

test('a worker that dies costs its clients a reconnection, and nothing else', { timeout: 120_000 }, async () => {
  const ada = await settledCustomer(server, system, { name: 'Ada', amount: 1000 });
  const bob = await settledCustomer(server, system, { name: 'Bob', amount: 1000 });
  // Enough connections that each worker has some.
  const followers = [ada, bob, ada, bob, ada, bob, ada, bob, ada, bob].map((person) => new Follower(person));
  for (const follower of followers) follower.cursor = (await follower.connect(server)).cursor;
  const stops = followers.map(keepConnected);
  const stop = traffic(ada, bob);
  for (let i = 0; i < 4; i++) {
    const victim = workers()[i % 2];
    const before = lives();
    const seen = followers.map((follower) => follower.seen.length);
    process.kill(victim, 'SIGKILL');
    const replaced = () => workers().length === 2 && !workers().includes(victim);
    await until(replaced, 'the worker to be replaced', patiently);
    await until(() => lives() > before, 'the new worker to know everything', patiently);
    const heard = () => followers.every((follower, n) => follower.seen.length > seen[n]);
    await until(heard, 'everybody to hear more', patiently);
  }
  const count = await stop();
  for (const follower of followers) await follower.reached(follower.person.account._id, 1 + count);
  const connections = await Promise.all(stops.map((stopOne) => stopOne()));
  assert.ok(connections.some((n) => n > 1), 'somebody was cut off');
  for (const follower of followers) {
    follower.check();
    assert.deepEqual(follower.resyncs, []);
    // The worker that greeted it may have been a moment behind the one that had told of the first event.
    const [{ seq }] = follower.seen;
    assert.ok(seq <= 2);
    assertNumbers(follower.seen, follower.person.account._id, seq, 1 + count);
    assert.equal(follower.seen.at(-1).data.balance, await balanceOf(follower.person, follower.person.account));
    await follower.leave();
  }
});
