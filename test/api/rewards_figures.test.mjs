// What is said of all members together: REW-07, the analytics, and the administration's lists and figures, REW-08, 09,
// 10 and 11; how a long history is read (REW-04); and from where points are read when the stream or the database is
// away (REW-03).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { earn, member, pointsOf, redeem } from '../lib/members.mjs';
import { audit } from '../lib/people.mjs';
import { execute } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

let server;
let client;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  client = api(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

const get = async (path) => {
  const reply = await client.get(path);
  assert.equal(reply.status, 200, reply.text);
  return reply.json;
};

test('before there is anything, everything is there and empty', async () => {
  assert.deepEqual(await get('/analytics/rewards-distribution'), {
    totalUsers: 0, totalPointsEarned: 0, totalPointsRedeemed: 0, totalPointsOutstanding: 0, averagePointsPerUser: 0,
    byCategory: [], byRewardType: [],
  });
  assert.deepEqual(await get('/rewards/admin/users'), { users: [], total: 0 });
  assert.deepEqual(await get('/rewards/admin/transactions'), { transactions: [], total: 0 });
  assert.deepEqual(await get('/rewards/admin/redemptions'), { redemptions: [], total: 0 });
  assert.deepEqual(await get('/rewards/admin/database-summary'), {
    users: 0, rewards: 0, transactions: 0, redemptions: 0, totalPointsEarned: 0, totalPointsRedeemed: 0,
    totalPointsOutstanding: 0,
  });
});

test('the figures of three members, exact and with at most two decimals', async () => {
  for (const id of ['ann', 'bob', 'cy']) await member(client, { id });
  for (const [id, points, category] of [
    ['ann', 500, 'shopping'], ['ann', 100, 'travel'], ['bob', 250, 'shopping'], ['cy', 100, 'dining'],
    ['cy', 550, 'travel'],
  ]) assert.equal((await earn(client, id, points, { category })).status, 201);
  for (const [id, points, type] of [['ann', 200, 'voucher'], ['bob', 100, 'voucher'], ['cy', 101, 'discount']]) {
    assert.equal((await redeem(client, id, points, { type })).status, 201);
  }
  assert.deepEqual(await get('/analytics/rewards-distribution'), {
    totalUsers: 3, totalPointsEarned: 1500, totalPointsRedeemed: 401, totalPointsOutstanding: 1099,
    averagePointsPerUser: 366.33,
    byCategory: [
      { category: 'shopping', totalPoints: 750, transactions: 2, percentage: 50 },
      { category: 'travel', totalPoints: 650, transactions: 2, percentage: 43.33 },
      { category: 'dining', totalPoints: 100, transactions: 1, percentage: 6.67 },
    ],
    byRewardType: [
      { rewardType: 'voucher', totalPoints: 300, redemptions: 2, percentage: 74.81 },
      { rewardType: 'discount', totalPoints: 101, redemptions: 1, percentage: 25.19 },
    ],
  });
  assert.deepEqual(await get('/rewards/admin/database-summary'), {
    users: 3, rewards: 3, transactions: 5, redemptions: 3, totalPointsEarned: 1500, totalPointsRedeemed: 401,
    totalPointsOutstanding: 1099,
  });
});

describe('the lists of the administration', () => {
  const LISTS = [
    ['users', 'users', ({ id, points }) => [id, points], [['ann', 400], ['bob', 150], ['cy', 549]]],
    ['transactions', 'transactions', ({ userId, category, pointsEarned }) => [userId, category, pointsEarned], [
      ['cy', 'travel', 550], ['cy', 'dining', 100], ['bob', 'shopping', 250], ['ann', 'travel', 100],
      ['ann', 'shopping', 500]]],
    ['redemptions', 'redemptions', ({ userId, rewardType, pointsRedeemed }) => [userId, rewardType, pointsRedeemed], [
      ['cy', 'discount', 101], ['bob', 'voucher', 100], ['ann', 'voucher', 200]]],
  ];
  for (const [name, member_, brief, all] of LISTS) {
    test(`${name}: all, or by the page`, async () => {
      const page = async (query) => {
        const reply = await get(`/rewards/admin/${name}${query}`);
        assert.equal(reply.total, all.length);
        return reply[member_].map(brief);
      };
      assert.deepEqual(await page(''), all);
      assert.deepEqual(await page('?limit=10000'), all);
      assert.deepEqual(await page('?limit=2'), all.slice(0, 2));
      assert.deepEqual(await page('?page=2&limit=2'), all.slice(2, 4));
      assert.deepEqual(await page('?page=2'), []);
    });

    test(`${name}: a page or limit out of bounds is 400`, async () => {
      for (const [query, field] of [
        ['page=0', 'page'], ['page=x', 'page'], ['limit=0', 'limit'], ['limit=10001', 'limit'],
      ]) fails(await client.get(`/rewards/admin/${name}?${query}`), 400, undefined, [field]);
    });
  }
});

test('a long history has its first and its last page', async () => {
  const id = await member(client, { points: 1, category: 'long' });
  // As if he had earned a point for a long time: 50,000 transfers behind the one there is.
  await execute(server.database, `
    BEGIN;
    CREATE TEMP TABLE who AS
      SELECT a.id FROM account a JOIN reward_members m ON m.id = a.member_id WHERE m.member_id = '${id}';
    CREATE TEMP TABLE base AS SELECT nextval('transfer_id') AS id FROM generate_series(1, 14);
    INSERT INTO transfer (id, posting, kind, debit, credit, amount, credit_after, credit_version, lifetime_after,
                          idem, metadata)
    SELECT n, n, 'rewards.earn', (SELECT id FROM account WHERE code = 'rewards-issuer'), (SELECT id FROM who), 1,
        1 + k, 1 + k, 1 + k, gen_random_uuid(), '{"category":"long","amount":100}'
    FROM (SELECT row_number() OVER (ORDER BY b.id, i) AS k, b.id + i AS n FROM base b, generate_series(0, 4095) i) t
    WHERE k <= 50000;
    UPDATE account SET balance = 50001, version = 50001, lifetime = 50001 WHERE id = (SELECT id FROM who);
    UPDATE reward_counts SET earnings = 50001 WHERE account = (SELECT id FROM who);
    UPDATE reward_sums SET points = points + 50000, count = count + 50000 WHERE kind = 'earn' AND name = 'long';
    COMMIT;`);
  const first = await get(`/rewards/transactions/${id}`);
  assert.deepEqual(first.pagination, { page: 1, limit: 10, total: 50001, totalPages: 5001 });
  assert.deepEqual(first.transactions.map(({ amount }) => amount), Array(10).fill(1));
  const last = await get(`/rewards/transactions/${id}?page=5001`);
  assert.deepEqual(last.transactions.map(({ amount }) => amount), [0]);
  await server.restart();      // what was written behind its back
  assert.equal((await earn(client, id, 1)).json.points, 50002);
});

describe('from where points are read', () => {
  let proxy;
  let behind;
  let reader;
  before(async () => {
    proxy = await startProxy(server.database);
    behind = await startServer({ database: proxy.url, env: { TALLY_OPEN: '1' } });
    reader = api(behind);
  });
  after(async () => {
    await behind.stop();
    await proxy.close();
  });
  const read = async (id) => {
    const { json, headers } = await reader.get(`/rewards/points/${id}`);
    return [json.points, headers['x-cache']];
  };
  const ready = async () => JSON.parse((await reader.get('/ready')).text);

  test('while the stream is away: the database, and never stale', async () => {
    const only = (connection) => connection.replication;
    const id = await member(client, { points: 100 });
    await until(async () => (await read(id))[1] === 'HIT', 'the stream to have brought him');
    proxy.freeze({ only });
    proxy.cut({ only });
    await until(async () => (await ready()).stream === 'away', 'the stream to be away');
    for (let n = 1; n <= 5; n++) {
      await earn(client, id, 1);
      assert.deepEqual(await read(id), [100 + n, 'MISS']);
    }
    fails(await reader.get('/rewards/points/nobody'), 404, 'User not found');
    proxy.unfreeze();
    await behind.ready();
    assert.deepEqual(await read(id), [105, 'HIT']);
  });

  test('while the database is away: memory; what must be asked or written is 503', async () => {
    const id = await member(reader, { points: 100 });
    proxy.down();
    await until(async () => (await ready()).database !== 'up', 'the database to be away');
    assert.deepEqual(await read(id), [100, 'HIT']);
    assert.equal((await reader.get('/rewards/options')).status, 200);
    for (const reply of [
      await earn(reader, id, 1), await redeem(reader, id, 100), await reader.get('/rewards/points/nobody'),
      await reader.get(`/rewards/transactions/${id}`), await reader.get('/analytics/rewards-distribution'),
    ]) fails(reply, 503);
    proxy.up();
    await behind.ready();
    assert.equal((await earn(reader, id, 1)).status, 201);
    assert.equal(await pointsOf(reader, id), 101);
  });
});
