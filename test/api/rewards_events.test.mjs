// A member's points are told to those who may hear of members: on /ws by the topics `rewards` (all) and `rewards:<id>`,
// once per connection, in commit order, also what another process has committed. REW-02, 05.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { earn, member, pointsOf, redeem, shop } from '../lib/members.mjs';
import { audit, register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

let server;
let other;
let keeper;
before(async () => {
  server = await startServer();
  other = await startServer({ database: server.database });
  keeper = await shop(server);
});
after(async () => {
  await audit(server);
  await other.stop();
  await server.stop();
});

/** A socket of the keeper's that has subscribed to these topics. */
async function hearing(where, ...topics) {
  const ws = await socket(where, { headers: keeper.headers });
  await ws.next('hello');
  ws.send({ type: 'subscribe', topics });
  assert.deepEqual((await ws.next('subscribed')).topics, topics);
  return ws;
}

const events = (ws) => ws.frames.filter((frame) => frame.type === 'points-updated');

test('an earning and a redemption, field by field', async () => {
  const id = await member(keeper);
  const ws = await hearing(server, `rewards:${id}`);
  const earned = (await earn(keeper, id, 500, { category: 'a "b" é', amount: 99.95 })).json;
  const spent = (await redeem(keeper, id, 200)).json;
  const first = await ws.next('points-updated');
  const second = await ws.next('points-updated');
  assert.match(first.stream, ID);
  assert.match(first.at, TIME);
  assert.deepEqual(first, {
    type: 'points-updated', stream: first.stream, seq: 1, at: earned.transaction.timestamp,
    data: {
      program: 'rewards', userId: id, username: null, reason: 'earn', delta: 500, balance: 500, lifetimePoints: null,
      transactionId: earned.transaction.id, category: 'a "b" é', rewardType: null, referredUserId: null,
    },
  });
  assert.deepEqual(second, {
    type: 'points-updated', stream: first.stream, seq: 2, at: spent.redemption.timestamp,
    data: {
      program: 'rewards', userId: id, username: null, reason: 'redeem', delta: -200, balance: 300, lifetimePoints: null,
      transactionId: spent.redemption.id, category: null, rewardType: 'voucher', referredUserId: null,
    },
  });
  await ws.close();
});

test('one member, all members, or both: each event comes once', async () => {
  const [one, two] = [await member(keeper), await member(keeper)];
  const all = await hearing(server, 'rewards');
  const single = await hearing(server, `rewards:${one}`);
  const both = await hearing(server, `rewards:${one}`, 'rewards', `rewards:${two}`);
  const steps = [[one, 1], [two, 2], [one, 3]];
  for (const [id, points] of steps) await earn(keeper, id, points);
  const last = (frame) => frame.type === 'points-updated' && frame.data.delta === 3;
  for (const ws of [all, single, both]) await ws.until(last);
  const heard = (ws) => events(ws).map(({ data }) => [data.userId, data.delta]);
  assert.deepEqual(heard(all), steps);
  assert.deepEqual(heard(single), [[one, 1], [one, 3]]);
  assert.deepEqual(heard(both), steps);
  // Without the topic of all, the single ones count again.
  both.send({ type: 'unsubscribe', topics: ['rewards'] });
  await both.next('unsubscribed');
  await earn(keeper, one, 4);
  await both.until((frame) => frame.data?.delta === 4);
  assert.equal(heard(both).length, 4);
  for (const ws of [all, single, both]) await ws.close();
});

test('what one process commits is told by the other, in order, and read there', async () => {
  const id = await member(keeper);
  const ws = await hearing(other, `rewards:${id}`);
  for (let n = 1; n <= 20; n++) await earn(keeper, id, n);
  await until(() => events(ws).length === 20, 'twenty events at the other process');
  assert.deepEqual(events(ws).map(({ seq }) => seq), Array.from({ length: 20 }, (_, n) => n + 1));
  const there = await api(other).get(`/rewards/points/${id}`, { basic: keeper.basic });
  assert.deepEqual([there.json.points, there.headers['x-cache']], [210, 'HIT']);
  await ws.close();
});

test('a member made at one process is known at the other at once', async () => {
  const elsewhere = api(other, { basic: keeper.basic });
  for (let n = 0; n < 20; n++) {
    const id = await member(keeper, { points: 100 });
    const [points, earned, spent] = await Promise.all([
      elsewhere.get(`/rewards/points/${id}`), earn(elsewhere, id, 5), redeem(elsewhere, id, 100)]);
    assert.deepEqual([points.status, earned.status, spent.status], [200, 201, 201]);
    assert.match(points.headers['x-cache'], /^(HIT|MISS)$/);
    assert.equal(await pointsOf(elsewhere, id), 5);
  }
});

test('both processes move one member, and nothing is lost', async () => {
  const id = await member(keeper, { points: 1000 });
  const elsewhere = api(other, { basic: keeper.basic });
  const moves = Array.from({ length: 60 }, (_, n) => {
    const client = n % 2 ? keeper : elsewhere;
    return n % 3 ? earn(client, id, 10) : redeem(client, id, 50, { type: 'discount' });
  });
  for (const reply of await Promise.all(moves)) assert.equal(reply.status, 201, reply.text);
  for (const client of [keeper, elsewhere]) {
    await until(async () => await pointsOf(client, id) === 1000 + 40 * 10 - 20 * 50, 'the same points everywhere');
    assert.equal((await client.get(`/rewards/transactions/${id}`)).json.pagination.total, 41);
  }
});

describe('who may hear of members', () => {
  async function asks(options) {
    const ws = await socket(server, options);
    await ws.next('hello');
    ws.send({ type: 'subscribe', topics: ['rewards', 'rewards:john'] });
    const { topics } = await ws.next('subscribed');
    const errors = ws.frames.filter(({ type }) => type === 'error').map(({ code }) => code);
    ws.terminate();
    return [topics, errors];
  }
  const YES = [['rewards', 'rewards:john'], []];
  const NO = [[], ['forbidden', 'forbidden']];

  test('keys with the scope and administrators; nobody else', async () => {
    const [email, password] = ['hears@example.com', 'correct horse'];
    await server.command('user', 'add', '--email', email, '--password', password, '--role', 'admin');
    const token = (await server.command('token', '--email', email)).trim();
    const ada = await register(server);
    const points = await shop(server, 'points,userstate,system');
    assert.deepEqual(await asks({ headers: keeper.headers }), YES);
    assert.deepEqual(await asks({ token }), YES);
    assert.deepEqual(await asks({ token: ada.token }), NO);
    assert.deepEqual(await asks({ headers: points.headers }), NO);
    assert.deepEqual(await asks({}), NO);
  });
});

describe('who may call what', () => {
  const DOORS = [
    ['POST', '/rewards/create-user'], ['POST', '/rewards/add-points/x'], ['GET', '/rewards/points/x'],
    ['GET', '/rewards/transactions/x'], ['POST', '/rewards/redeem/x'], ['GET', '/rewards/admin/users'],
    ['GET', '/rewards/admin/transactions'], ['GET', '/rewards/admin/redemptions'],
    ['GET', '/rewards/admin/database-summary'],
  ];
  const OPEN = ['/rewards/options', '/rewards/options/voucher', '/analytics/rewards-distribution'];
  const knock = (client, [method, path]) => client.request(method, path, method === 'POST' ? { body: {} } : {});
  /** Beyond the gate: a fault of the fields, an unknown member, or an answer. */
  const passes = (reply) => assert.ok([200, 400, 404].includes(reply.status), reply.text);

  for (const door of DOORS) {
    test(`${door.join(' ')} asks for a key with the scope or an administrator`, async () => {
      const email = `admin.${randomUUID()}@example.com`;
      await server.command('user', 'add', '--email', email, '--password', 'correct horse', '--role', 'admin');
      const token = (await server.command('token', '--email', email)).trim();
      fails(await knock(api(server), door), 401, 'Unauthorized');
      fails(await knock(api(server, { token: 'nonsense' }), door), 401, 'Unauthorized');
      fails(await knock(api(server, { basic: 'no:body' }), door), 401, 'Unauthorized');
      fails(await knock((await register(server)).api, door), 403);
      fails(await knock(await shop(server, 'points,userstate,system'), door), 403);
      passes(await knock(keeper, door));
      passes(await knock(api(server, { token }), door));
    });
  }

  for (const path of OPEN) {
    test(`GET ${path} is open`, async () => {
      assert.equal((await api(server).get(path)).status, 200);
    });
  }

  test('with TALLY_OPEN=1 everything is open, but a bad token or key stays bad', async () => {
    const open = await startServer({ database: server.database, env: { TALLY_OPEN: '1' } });
    const wrong = await shop(server, 'points');
    const ada = await register(server);
    for (const door of [...DOORS, ...OPEN.map((path) => ['GET', path])]) {
      passes(await knock(api(open), door));
      passes(await knock(api(open, { basic: wrong.basic }), door));
      passes(await knock(api(open, { token: ada.token }), door));
    }
    for (const door of DOORS) {
      fails(await knock(api(open, { token: 'nonsense' }), door), 401, 'Unauthorized');
      fails(await knock(api(open, { basic: 'no:body' }), door), 401, 'Unauthorized');
    }
    const id = await member(api(open));
    const ws = await socket(open);
    await ws.next('hello');
    ws.send({ type: 'subscribe', topics: ['rewards'] });
    await ws.next('subscribed');
    await earn(api(open), id, 5);
    assert.equal((await ws.next('points-updated')).data.userId, id);
    await ws.close();
    await open.stop();
  });

  test('callers have idempotency keys of their own, and all without a name share theirs', async () => {
    const open = await startServer({ database: server.database, env: { TALLY_OPEN: '1' } });
    const id = await member(keeper);
    const key = randomUUID();
    const second = await shop(server);
    for (const [client, replayed] of [[keeper], [second], [api(open)], [keeper, 'true'], [api(open), 'true']]) {
      const reply = await earn(client, id, 5, { key });
      assert.deepEqual([reply.status, reply.headers['idempotent-replayed']], [201, replayed]);
    }
    assert.equal(await pointsOf(keeper, id), 15);
    await open.stop();
  });
});
