// Coming back with a cursor: to the same process or another, after a second or a restart, a client
// gets exactly what it missed, once and in each stream's order, then a greeting, then what is new.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { socket } from '../lib/client.mjs';
import { Follower, isEvent } from '../lib/follower.mjs';
import { assertNumbers, comeBack, fundFirst, listen, settledCustomer } from '../lib/listen.mjs';
import { audit, balanceOf, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let server;
let system;
let admin;
before(async () => {
  server = await startServer();
  system = await systemUser(server);
  admin = await register(server, { name: 'Root' });
  await server.command('user', 'role', '--email', admin.email, '--role', 'admin');
});
after(async () => {
  await audit(server);
  await server.stop();
});

const funded = (times, person) => Promise.all(Array.from({ length: times }, () => fund(system, person.account, 1)));

async function grant(person, amount) {
  const body = { userId: person.id, amount, reason: 'a test' };
  const reply = await admin.api.post('/api/points/admin/add', { body });
  assert.equal(reply.status, 200, reply.text);
}

describe('a client that comes back', () => {
  test('with the greeting\'s cursor misses nothing, though it had seen no event', async () => {
    const ada = await settledCustomer(server, system);
    const first = await listen(server, ada);
    await first.close();
    await funded(3, ada);
    const ws = await comeBack(server, ada, first.hello.cursor, 3);
    assert.deepEqual(ws.frames.map((frame) => frame.type), [...Array(3).fill('balance-updated'), 'hello']);
    assertNumbers(ws.frames, ada.account._id, 2, 4);
    await ws.close();
  });

  test('with an event\'s cursor gets what came after that event, the same frames as live', async () => {
    const ada = await settledCustomer(server, system);
    const live = await listen(server, ada);
    await funded(5, ada);
    await grant(ada, 2600);
    await live.next('level-up');
    await live.until((frame) => frame.seq === 6);
    const events = live.frames.filter(isEvent);
    assert.equal(events.length, 7);
    for (const [i, event] of events.entries()) {
      const ws = await listen(server, ada, { cursor: event.cursor });
      assert.equal(ws.hello.resumed, 6 - i);
      const plain = ({ cursor, ...rest }) => rest;
      const byStream = (a, b) => a.stream.localeCompare(b.stream) || a.seq - b.seq;
      const sorted = (frames) => frames.filter(isEvent).map(plain).sort(byStream);
      assert.deepEqual(sorted(ws.frames), sorted(events.slice(i + 1)));
      await ws.close();
    }
    await live.close();
  });

  test('with the newest cursor gets nothing but the greeting', async () => {
    const ada = await settledCustomer(server, system);
    const first = await listen(server, ada);
    await fund(system, ada.account, 1);
    const { cursor } = await first.next('balance-updated');
    const ws = await listen(server, ada, { cursor });
    assert.deepEqual([ws.hello.resumed, ws.frames.length, ws.hello.cursor], [0, 1, cursor]);
    await fund(system, ada.account, 1);
    assert.equal((await ws.next('balance-updated')).seq, 3);
    await Promise.all([first.close(), ws.close()]);
  });

  test('may hand the cursor in with an auth frame', async () => {
    const ada = await settledCustomer(server, system);
    const first = await listen(server, ada);
    await first.close();
    await funded(2, ada);
    await (await comeBack(server, ada, first.hello.cursor, 2)).close();
    const ws = await socket(server);
    await ws.next('hello');
    ws.send({ type: 'auth', token: ada.token, cursor: first.hello.cursor });
    assert.equal((await ws.next('hello')).resumed, 2);
    assertNumbers(ws.frames, ada.account._id, 2, 3);
    await ws.close();
  });

  test('cut off between the events resumes from the last one that it has read', async () => {
    const ada = await settledCustomer(server, system);
    const first = await listen(server, ada);
    await first.close();
    await funded(10, ada);
    const cut = await socket(server, { token: ada.token, cursor: first.hello.cursor });
    const { cursor } = await cut.until((frame) => frame.seq === 5);
    cut.terminate();
    const ws = await comeBack(server, ada, cursor, 6);
    assertNumbers(ws.frames, ada.account._id, 6, 11);
    await ws.close();
  });
});

/** Transfers among the accounts, by their owner, until stop(); resolves with how often each moved. */
function traffic(person, accounts) {
  const moves = new Map(accounts.map((account) => [account._id, 0]));
  let running = true;
  const one = async (at) => {
    for (let i = at; running; i += 1) {
      const [from, to] = [accounts[i % accounts.length], accounts[(i * 3 + 1 + at) % accounts.length]];
      if (from === to) continue;
      const reply = await transfer(person, from, to, 0.01);
      assert.equal(reply.status, 200, reply.text);
      moves.set(from._id, moves.get(from._id) + 1);
      moves.set(to._id, moves.get(to._id) + 1);
    }
  };
  const all = Promise.all([0, 1, 2, 3].map(one));
  return async () => {
    await until(() => [...moves.values()].every(Boolean), 'every account to have moved');
    running = false;
    await all;
    return moves;
  };
}

async function manyAccounts(name, servers) {
  const ada = await register(server, { name });
  const accounts = [];
  while (accounts.length < 10) accounts.push(await openAccount(ada));
  await fundFirst(servers, system, ada, accounts, 100);
  return { ada, accounts };
}

/** Everything that moved since the follower's first greeting has come, once and in order. */
async function assertComplete(follower, moves) {
  for (const [account, count] of moves) await follower.reached(account, 1 + count);
  follower.check();
  for (const [account, count] of moves) assertNumbers(follower.seen, account, 2, 1 + count);
}

describe('under traffic on ten accounts', () => {
  test('coming back again and again, every event comes once and in order', async () => {
    const { ada, accounts } = await manyAccounts('Ada', [server]);
    const follower = new Follower(ada);
    await follower.connect(server);
    const stop = traffic(ada, accounts);
    for (let i = 0; i < 15; i++) {
      await follower.connect(server);
      assert.equal(typeof follower.hello.resumed, 'number');
    }
    await assertComplete(follower, await stop());
    assert.deepEqual(follower.resyncs, []);
    for (const account of accounts) {
      assert.equal(follower.of(account._id).at(-1).data.balance, await balanceOf(ada, account));
    }
    await follower.leave();
  });

  test('also when each time another process answers', async () => {
    const other = await startServer({ database: server.database });
    const { ada, accounts } = await manyAccounts('Bob', [server, other]);
    const follower = new Follower(ada);
    await follower.connect(server);
    const stop = traffic(ada, accounts);
    for (let i = 0; i < 16; i++) await follower.connect(i % 2 ? server : other);
    await assertComplete(follower, await stop());
    await follower.leave();
    await other.stop();
  });
});

test('a process that comes back is resumed from as if it had never been away', async () => {
  const ada = await settledCustomer(server, system);
  const follower = new Follower(ada);
  await follower.connect(server);
  await funded(3, ada);
  await follower.reached(ada.account._id, 4);
  for (const kill of [false, true]) {
    await follower.leave();
    await funded(2, ada);
    await server.restart({ kill });
    await funded(2, ada);
    await (await comeBack(server, ada, follower.cursor, 4)).close();
    assert.equal((await follower.connect(server)).resumed, 4);
  }
  follower.check();
  assertNumbers(follower.seen, ada.account._id, 2, 12);
  await follower.leave();
});

test('of two workers on one port, whichever answers knows the cursor', async () => {
  const pair = await startServer({ workers: 2, database: server.database });
  const live = ({ area, event }) => area === 'live' && event === 'live';
  await until(() => pair.logs.filter(live).length === 2, 'both to know all');
  const ada = await settledCustomer(server, system);
  const follower = new Follower(ada);
  await follower.connect(server);
  // Twelve connections: the chance to meet only one of the two is 1 in 2048.
  for (let i = 2; i < 14; i++) {
    await fund(system, ada.account, 1);
    await follower.connect(pair);
    await follower.reached(ada.account._id, i);
  }
  assertNumbers(follower.seen, ada.account._id, 2, 13);
  await follower.leave();
  await pair.stop();
});

describe('a cursor that cannot be resumed from', () => {
  test('because more than 1000 events were missed: the state, and the newest 1000', async () => {
    const ada = await settledCustomer(server, system, { amount: 5 });
    const other = await openAccount(ada);
    const follower = new Follower(ada);
    await follower.connect(server);
    await follower.leave();
    // Missed is what the server has pushed by then: of a stream that is still behind its answers, fewer than 1000 may
    // be missed, and the rest comes live. A witness tells when it is not.
    const witness = await listen(server, ada);
    await fund(system, other, 3);
    for (let i = 0; i < 21; i++) await funded(50, ada);
    await witness.until((frame) => frame.stream === ada.account._id && frame.seq === 1051, { timeout: 30_000 });
    await witness.close();
    assert.equal((await follower.connect(server)).resumed, 1001);
    assert.equal(follower.resyncs.length, 1);
    const [{ stream, snapshot, ...rest }] = follower.resyncs;
    assert.equal(stream, ada.account._id);
    assert.deepEqual(rest, { type: 'resync' });
    assertNumbers(follower.seen, ada.account._id, 52, 1051);
    assertNumbers(follower.seen, other._id, 1, 1);
    const state = snapshot.accounts.find(({ account }) => account === ada.account._id);
    assert.deepEqual(state, { account: ada.account._id, seq: 1051, kind: 'bank', balance: 1055, currency: 'USD' });
    const points = snapshot.accounts.find(({ kind }) => kind === 'points');
    assert.deepEqual(points.level, { name: 'bronze', tier: 1, minPoints: 0, perks: [] });
    assert.deepEqual(snapshot.invoices, []);
    await follower.leave();
  });

  test('because it is not this user\'s, or none: the state, and what is new', async () => {
    const ada = await settledCustomer(server, system);
    const bob = await settledCustomer(server, system, { amount: 70 });
    const adas = await listen(server, ada);
    const good = (await listen(server, bob)).hello.cursor;
    const altered = [good.slice(0, -1), `${good}A`, `${good.slice(0, -2)}AA`];
    const foreign = [adas.hello.cursor, 'garbage', 'A'.repeat(3000), ' ', ...altered];
    for (const cursor of foreign) {
      const ws = await listen(server, bob, { cursor });
      assert.deepEqual(ws.frames.map((frame) => frame.type), ['resync', 'hello'], cursor);
      assert.deepEqual(Object.keys(ws.frames[0]), ['type', 'snapshot']);
      const { accounts } = ws.frames[0].snapshot;
      assert.deepEqual(accounts.filter(({ kind }) => kind === 'bank').map(({ balance }) => balance), [70]);
      assert.deepEqual([ws.hello.resumed, ws.hello.cursor], [0, good]);
      await ws.close();
    }
    await adas.close();
  });
});
