// What a connected client hears, as the contract has it (70-events): which events, with which
// fields, in which order, and that nobody hears of anybody else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { audit, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { assertNumbers, eventsOf, listen, settledCustomer } from '../lib/listen.mjs';
import { startServer } from '../lib/server.mjs';
import { ID, TIME } from '../lib/shapes.mjs';
import { never } from '../lib/wait.mjs';

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

const pair = () => Promise.all([
  settledCustomer(server, system, { name: 'Ada', amount: 1000 }),
  settledCustomer(server, system, { name: 'Bob', amount: 50 }),
]);

async function grant(person, amount, metadata) {
  const body = { userId: person.id, amount, reason: 'a test', ...(metadata && { metadata }) };
  const reply = await admin.api.post('/api/points/admin/add', { body });
  assert.equal(reply.status, 200, reply.text);
  return reply.json.data;
}

describe('a transfer', () => {
  test('is heard by both sides, each of its own account', async () => {
    const [ada, bob] = await pair();
    const [adas, bobs] = [await listen(server, ada), await listen(server, bob)];
    const reply = await transfer(ada, ada.account, bob.account, 12.5);
    assert.equal(reply.status, 200, reply.text);
    const [out, into] = [await adas.next('balance-updated'), await bobs.next('balance-updated')];
    const transactionId = reply.json.transaction._id;
    const common = { kind: 'bank', currency: 'USD', transactionId, reason: 'bank.transfer' };
    assert.deepEqual(Object.keys(out), ['type', 'stream', 'seq', 'cursor', 'at', 'data']);
    assert.deepEqual({ ...out, cursor: '', at: '' }, {
      type: 'balance-updated', stream: ada.account._id, seq: 2, cursor: '', at: '',
      data: { ...common, account: ada.account._id, delta: -12.5, balance: 987.5 },
    });
    assert.deepEqual(into.data, { ...common, account: bob.account._id, delta: 12.5, balance: 62.5 });
    assert.match(out.at, TIME);
    assert.equal(out.at, into.at);
    assert.equal(out.at, reply.json.transaction.createdAt);
    assert.notEqual(out.cursor, into.cursor);
    await Promise.all([adas.close(), bobs.close()]);
  });

  test('between two accounts of one person is two events', async () => {
    const [ada] = await pair();
    const second = await openAccount(ada);
    const ws = await listen(server, ada);
    assert.equal((await transfer(ada, ada.account, second, 10)).status, 200);
    const events = [await ws.next('balance-updated'), await ws.next('balance-updated')];
    assert.deepEqual(events.map(({ stream, seq, data }) => [stream, seq, data.delta, data.balance]),
      [[ada.account._id, 2, -10, 990], [second._id, 1, 10, 10]]);
    await ws.close();
  });

  test('that is refused is not heard of, and takes no number', async () => {
    const [ada, bob] = await pair();
    const ws = await listen(server, ada);
    const refused = [
      await transfer(ada, ada.account, bob.account, 5000),
      await transfer(ada, bob.account, ada.account, 1),
      await transfer(ada, ada.account, ada.account, 1),
      await transfer(ada, ada.account, bob.account, -1),
    ];
    assert.ok(refused.every((reply) => reply.status >= 400), refused.map((reply) => reply.status).join());
    assert.equal((await transfer(ada, ada.account, bob.account, 1)).status, 200);
    assert.equal((await ws.next('balance-updated')).seq, 2);
    assert.equal(eventsOf(ws).length, 1);
    await ws.close();
  });

  test('that is repeated by its key is heard once', async () => {
    const [ada, bob] = await pair();
    const ws = await listen(server, ada);
    for (let i = 0; i < 3; i++) {
      assert.equal((await transfer(ada, ada.account, bob.account, 1, 'the same key')).status, 200);
    }
    assert.equal((await transfer(ada, ada.account, bob.account, 2)).status, 200);
    await ws.until((frame) => frame.seq === 3);
    assert.deepEqual(eventsOf(ws).map((event) => [event.seq, event.data.delta]), [[2, -1], [3, -2]]);
    await ws.close();
  });

  test('into the world is heard by who gets it', async () => {
    const [ada] = await pair();
    const ws = await listen(server, ada);
    const transaction = await fund(system, ada.account, 7);
    const { data } = await ws.next('balance-updated');
    assert.deepEqual([data.delta, data.balance, data.transactionId], [7, 1007, transaction._id]);
    await ws.close();
  });

  test('on an account that is opened while one listens is heard from its first', async () => {
    const ada = await register(server, { name: 'Ada' });
    const ws = await listen(server, ada);
    const account = await openAccount(ada);
    await fund(system, account, 5);
    const event = await ws.next('balance-updated');
    assert.deepEqual([event.stream, event.seq, event.data.balance], [account._id, 1, 5]);
    await ws.close();
  });
});

describe('points', () => {
  test('granted are heard, then the level that they reach', async () => {
    const ada = await register(server, { name: 'Ada' });
    const ws = await listen(server, ada);
    const { transaction } = await grant(ada, 1030, { category: 'shopping' });
    const points = await ws.next('points-updated');
    const level = await ws.next('level-up');
    assert.deepEqual(Object.keys(points), ['type', 'stream', 'seq', 'cursor', 'at', 'data']);
    assert.deepEqual(points.data, {
      program: 'points', userId: ada.id, username: points.data.username, reason: 'admin_grant', delta: 1030,
      balance: 1030, lifetimePoints: 1030, transactionId: transaction.id, category: 'shopping',
      rewardType: null, referredUserId: null,
    });
    assert.match(points.stream, ID);
    assert.equal(points.seq, 1);
    assert.deepEqual(Object.keys(level).sort(), ['at', 'cursor', 'data', 'seq', 'stream', 'type']);
    assert.deepEqual(level.data, {
      userId: ada.id, username: points.data.username, previousLevel: { name: 'bronze', tier: 1, minPoints: 0 },
      level: { name: 'silver', tier: 2, minPoints: 1000, perks: [] }, lifetimePoints: 1030,
      transactionId: transaction.id,
    });
    assert.match(level.at, TIME);
    assert.notEqual(level.stream, points.stream);
    assert.deepEqual(eventsOf(ws).map((event) => event.type), ['points-updated', 'level-up']);
    await ws.close();
  });

  test('that cross two levels at once are one level-up, deducted ones none', async () => {
    const ada = await register(server, { name: 'Ada' });
    const ws = await listen(server, ada);
    for (const amount of [999, -500, 1, 4000, -10]) await grant(ada, amount);
    await ws.until((frame) => frame.type === 'points-updated' && frame.seq === 5);
    assert.deepEqual(eventsOf(ws).map(({ type, data }) => [type, data.delta ?? data.level.name, data.balance]), [
      ['points-updated', 999, 999], ['points-updated', -500, 499],
      ['points-updated', 1, 500], ['level-up', 'silver', undefined],
      ['points-updated', 4000, 4500], ['level-up', 'platinum', undefined],
      ['points-updated', -10, 4490],
    ]);
    assert.equal(eventsOf(ws)[1].data.reason, 'admin_deduct');
    assert.equal(eventsOf(ws)[1].data.lifetimePoints, 999);
    await ws.close();
  });

  test('granted from many sides at once level up once', async () => {
    const ada = await register(server, { name: 'Ada' });
    const ws = await listen(server, ada);
    await Promise.all(Array.from({ length: 30 }, () => grant(ada, 50)));
    await ws.until((frame) => frame.type === 'level-up');
    await grant(ada, 1);
    await ws.until((frame) => frame.type === 'points-updated' && frame.seq === 31);
    assert.equal(eventsOf(ws).filter((event) => event.type === 'level-up').length, 1);
    assertNumbers(eventsOf(ws), eventsOf(ws)[0].stream, 1, 31);
    await ws.close();
  });
});

describe('every stream', () => {
  test('comes in order without a gap, however many write at once', async () => {
    const [ada, bob] = await pair();
    const [adas, bobs] = [await listen(server, ada), await listen(server, bob)];
    const made = Array.from({ length: 100 }, (_, i) => (i % 3
      ? transfer(ada, ada.account, bob.account, 1) : transfer(bob, bob.account, ada.account, 1)));
    for (const reply of await Promise.all(made)) assert.equal(reply.status, 200, reply.text);
    await Promise.all([adas, bobs].map((ws) => ws.until((frame) => frame.seq === 101)));
    for (const [ws, person, start] of [[adas, ada, 1000], [bobs, bob, 50]]) {
      assertNumbers(eventsOf(ws), person.account._id, 2, 101);
      let balance = start;
      for (const { data } of eventsOf(ws)) {
        balance += data.delta;
        assert.equal(data.balance, balance);
      }
    }
    await Promise.all([adas.close(), bobs.close()]);
  });

  test('is the same, byte by byte, on all connections of its user', async () => {
    const [ada, bob] = await pair();
    const both = [await listen(server, ada), await listen(server, ada)];
    const raw = both.map(() => []);
    both.forEach((ws, i) => ws.ws.on('message', (bytes) => raw[i].push(bytes.toString('utf8'))));
    for (let i = 1; i <= 10; i++) await transfer(ada, ada.account, bob.account, i);
    await Promise.all(both.map((ws) => ws.until((frame) => frame.seq === 11)));
    assert.equal(raw[0].length, 10);
    assert.deepEqual(raw[0], raw[1]);
    assert.equal(new Set(eventsOf(both[0]).map((event) => event.cursor)).size, 10);
    await Promise.all(both.map((ws) => ws.close()));
  });

  test('is its user\'s alone', async () => {
    const [ada, bob] = await pair();
    const stranger = await settledCustomer(server, system, { name: 'Eve', amount: 10 });
    const [eves, adas] = [await listen(server, stranger), await listen(server, ada)];
    eves.send({ type: 'subscribe', topics: [`accounts:${ada.id}`, ada.account._id, `user-${ada.id}`, 'accounts'] });
    await eves.next('subscribed');
    await transfer(ada, ada.account, bob.account, 3);
    await grant(ada, 2000);
    await adas.next('level-up');
    await fund(system, stranger.account, 1);
    await eves.until((frame) => frame.seq === 2);
    assert.deepEqual(eventsOf(eves).map((event) => event.stream), [stranger.account._id]);
    await never(() => eventsOf(eves).length > 1, 'an event of somebody else\'s');
    await Promise.all([eves.close(), adas.close()]);
  });
});
