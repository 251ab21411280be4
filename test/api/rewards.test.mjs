// The rewards system as its own front ends use it: the walk of its quick start (with TALLY_OPEN=1, as there), every
// reply field by field, and every refusal. REW-01 … 07, the administration's REW-08, 09, 10 and 11, and REW-22.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { earn, member, pointsOf, redeem } from '../lib/members.mjs';
import { audit } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const OPTIONS = [['voucher', 100], ['cashback', 100], ['discount', 50], ['gift_card', 100]];
const STRANGERS = ['nobody', 'y'.repeat(64), 'x'.repeat(65), 'John123', 'a%20b', '%01', '%C3%A9'];

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

test('the quick start: REW-01, 02, 03, 04, 05, 06 and 07, as written there', async () => {
  const john = { id: 'john123', name: 'John Doe', email: 'john@example.com' };
  const made = await client.post('/rewards/create-user', { body: john });
  assert.equal(made.status, 201, made.text);
  assert.match(made.json.createdAt, TIME);
  assert.deepEqual(made.json, { ...john, createdAt: made.json.createdAt, points: 0 });

  const earned = await client.post('/rewards/add-points/john123', {
    body: { points: 500, category: 'shopping', amount: 100 },
  });
  assert.equal(earned.status, 201, earned.text);
  const { transaction } = earned.json;
  assert.match(transaction.id, ID);
  assert.match(transaction.timestamp, TIME);
  assert.deepEqual(earned.json, {
    userId: 'john123', pointsAdded: 500, points: 500,
    transaction: {
      id: transaction.id, userId: 'john123', amount: 100, category: 'shopping', pointsEarned: 500,
      timestamp: transaction.timestamp,
    },
  });

  const points = await client.get('/rewards/points/john123');
  assert.equal(points.status, 200, points.text);
  assert.deepEqual(points.json, { userId: 'john123', points: 500 });
  assert.equal(points.headers['cache-control'], 'no-store');
  assert.equal(points.headers['x-cache'], 'HIT');

  const history = await client.get('/rewards/transactions/john123?page=1&limit=10');
  assert.equal(history.status, 200, history.text);
  assert.deepEqual(history.json, {
    transactions: [transaction], pagination: { page: 1, limit: 10, total: 1, totalPages: 1 },
  });

  const spent = await client.post('/rewards/redeem/john123', { body: { pointsToRedeem: 200, rewardType: 'voucher' } });
  assert.equal(spent.status, 201, spent.text);
  const { redemption } = spent.json;
  assert.match(redemption.id, ID);
  assert.match(redemption.timestamp, TIME);
  assert.deepEqual(spent.json, {
    redemption: {
      id: redemption.id, userId: 'john123', rewardType: 'voucher', pointsRedeemed: 200, timestamp: redemption.timestamp,
    },
    remainingPoints: 300,
  });

  const options = await client.get('/rewards/options');
  assert.equal(options.status, 200, options.text);
  assert.deepEqual(options.json.map(({ type, minPoints }) => [type, minPoints]), OPTIONS);

  const analytics = await client.get('/analytics/rewards-distribution');
  assert.equal(analytics.status, 200, analytics.text);
  assert.deepEqual(analytics.json, {
    totalUsers: 1, totalPointsEarned: 500, totalPointsRedeemed: 200, totalPointsOutstanding: 300,
    averagePointsPerUser: 300,
    byCategory: [{ category: 'shopping', totalPoints: 500, transactions: 1, percentage: 100 }],
    byRewardType: [{ rewardType: 'voucher', totalPoints: 200, redemptions: 1, percentage: 100 }],
  });

  const list = async (name) => (await client.get(`/rewards/admin/${name}`)).json;
  assert.deepEqual(await list('users'), { users: [{ ...made.json, points: 300 }], total: 1 });
  assert.deepEqual(await list('transactions'), { transactions: [transaction], total: 1 });
  assert.deepEqual(await list('redemptions'), { redemptions: [redemption], total: 1 });
  assert.deepEqual(await list('database-summary'), {
    users: 1, rewards: 1, transactions: 1, redemptions: 1, totalPointsEarned: 500, totalPointsRedeemed: 200,
    totalPointsOutstanding: 300,
  });
});

describe('REW-01, a new member', () => {
  const create = (body) => client.post('/rewards/create-user', { body });
  const good = { id: 'new', name: 'New', email: 'new@example.com' };

  test('may have any id of 1 to 64 letters, digits, dots, hyphens and underscores', async () => {
    for (const id of ['a', '7', '-', '.', '..', 'A_b-c.D', 'x'.repeat(64), 'options', 'ffffffffffffffffffffffff']) {
      assert.equal(await member(client, { id }), id);
      if (!/^\.+$/.test(id)) assert.equal(await pointsOf(client, id), 0);   // a client resolves "." itself
    }
  });

  test('has a name without blanks at its ends, and an e-mail in lower case', async () => {
    const reply = await create({ id: 'trim', name: '  Ann É. Lee ', email: ' Ann.Lee@Example.COM ' });
    assert.equal(reply.status, 201, reply.text);
    assert.deepEqual([reply.json.name, reply.json.email], ['Ann É. Lee', 'ann.lee@example.com']);
  });

  test('that exists already, by id or by e-mail in any case, is 400', async () => {
    const twice = { id: 'Twice', name: 'Twice', email: 'twice@example.com' };
    assert.equal((await create(twice)).status, 201);
    fails(await create({ ...good, id: 'Twice' }), 400, 'User already exists');
    fails(await create({ ...good, email: 'TWICE@example.com' }), 400, 'User already exists');
    assert.equal((await create({ ...twice, id: 'twice', email: 'twice2@example.com' })).status, 201);   // another one
  });

  test('of thirty at once with one id there is one', async () => {
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) => (
      create({ id: 'once', name: 'Once', email: `once${n}@example.com` }))));
    assert.deepEqual(replies.map(({ status }) => status).sort(), [201, ...Array(29).fill(400)]);
    assert.equal(await pointsOf(client, 'once'), 0);
  });

  for (const [what, change, fields] of [
    ['nothing at all', { id: undefined, name: undefined, email: undefined }, ['id', 'name', 'email']],
    ['an empty id', { id: '' }, ['id']],
    ['an id with a blank', { id: 'a b' }, ['id']],
    ['an id with a blank at its end', { id: 'ab ' }, ['id']],
    ['an id with a slash', { id: 'a/b' }, ['id']],
    ['an id with a letter beyond ASCII', { id: 'é' }, ['id']],
    ['an id of 65 characters', { id: 'x'.repeat(65) }, ['id']],
    ['an id that is a number', { id: 7 }, ['id']],
    ['a blank name', { name: '  ' }, ['name']],
    ['a name of 101 characters', { name: 'é'.repeat(101) }, ['name']],
    ['no e-mail address', { email: 'john' }, ['email']],
    ['everything wrong at once', { id: '', name: 5, email: '@' }, ['id', 'name', 'email']],
  ]) {
    test(`${what} is 400`, async () => fails(await create({ ...good, ...change }), 400, undefined, fields));
  }

  test('that was refused is not there', async () => {
    fails(await client.get('/rewards/points/new'), 404, 'User not found');
  });
});

describe('REW-02, earning', () => {
  test('needs no amount, which is 0 then', async () => {
    const id = await member(client);
    const reply = await client.post(`/rewards/add-points/${id}`, { body: { points: 1, category: 'x' } });
    assert.equal(reply.status, 201, reply.text);
    assert.equal(reply.json.transaction.amount, 0);
  });

  test('adds what the client says, and keeps amounts to the cent and categories as they are', async () => {
    const id = await member(client);
    const kept = [
      [1, 0.01, 'é'.repeat(50)], [1000000, 9999999999999.99, 'a "b" \\ <c> 𝄞'], [7, 12.5, '  trimmed '],
    ];
    let sum = 0;
    for (const [points, amount, category] of kept) {
      const { json, text, status } = await earn(client, id, points, { amount, category });
      assert.equal(status, 201, text);
      sum += points;
      assert.deepEqual([json.pointsAdded, json.points], [points, sum]);
      assert.deepEqual([json.transaction.amount, json.transaction.category], [amount, category.trim()]);
    }
    const { transactions } = (await client.get(`/rewards/transactions/${id}`)).json;
    assert.deepEqual(transactions.map((row) => [row.pointsEarned, row.amount, row.category]),
      kept.map(([points, amount, category]) => [points, amount, category.trim()]).reverse());
  });

  test('is one transfer from the issuer, and nothing of money', async () => {
    const id = await member(client, { points: 5 });
    const rows = await query(server.database, `
      SELECT t.kind, t.amount, d.code, c.kind AS credit, c.asset, t.metadata FROM transfer t
      JOIN account d ON d.id = t.debit JOIN account c ON c.id = t.credit
      JOIN reward_members m ON m.id = c.member_id WHERE m.member_id = '${id}'`);
    assert.deepEqual(rows, [{
      kind: 'rewards.earn', amount: 5, code: 'rewards-issuer', credit: 'reward_points', asset: 'RWD',
      metadata: { category: 'gift', amount: 0 },
    }]);
  });

  test('of nobody is 404', async () => {
    for (const id of STRANGERS) {
      const reply = await client.post(`/rewards/add-points/${id}`, { body: { points: 1, category: 'x' } });
      fails(reply, 404, 'User not found');
    }
  });

  for (const [what, change, fields] of [
    ['nothing at all', { points: undefined, category: undefined }, ['points', 'category']],
    ['no points', { points: 0 }, ['points']],
    ['points below zero', { points: -1 }, ['points']],
    ['half a point', { points: 1.5 }, ['points']],
    ['points in quotes', { points: '5' }, ['points']],
    ['more than a million points', { points: 1000001 }, ['points']],
    ['a blank category', { category: ' ' }, ['category']],
    ['a category of 51 characters', { category: 'é'.repeat(51) }, ['category']],
    ['a category that is a number', { category: 1 }, ['category']],
    ['an amount below zero', { amount: -0.01 }, ['amount']],
    ['an amount with three decimals', { amount: 1.005 }, ['amount']],
    ['an amount in quotes', { amount: '1' }, ['amount']],
    ['an amount that is null', { amount: null }, ['amount']],
    ['everything wrong at once', { points: 'x', category: 5, amount: [] }, ['points', 'category', 'amount']],
  ]) {
    test(`${what} is 400`, async () => {
      const body = { points: 1, category: 'x', ...change };
      fails(await client.post('/rewards/add-points/nobody', { body }), 400, undefined, fields);
    });
  }
});

describe('REW-05, redeeming', () => {
  test('spends down to zero and never below', async () => {
    const id = await member(client, { points: 350 });
    fails(await redeem(client, id, 351), 400, 'Insufficient points');
    for (const [type, points, left] of [['gift_card', 100, 250], ['discount', 50, 200], ['cashback', 200, 0]]) {
      const reply = await redeem(client, id, points, { type });
      assert.equal(reply.status, 201, reply.text);
      assert.deepEqual([reply.json.redemption.rewardType, reply.json.remainingPoints], [type, left]);
    }
    fails(await redeem(client, id, 100), 400, 'Insufficient points');
    fails(await redeem(client, id, Number.MAX_SAFE_INTEGER), 400, 'Insufficient points');
    assert.equal(await pointsOf(client, id), 0);
    assert.equal((await client.get(`/rewards/transactions/${id}`)).json.pagination.total, 1);   // earnings only
  });

  test('less than the option asks for is 400', async () => {
    const id = await member(client, { points: 1000 });
    for (const [type, least] of OPTIONS) {
      fails(await redeem(client, id, least - 1, { type }), 400, undefined, ['pointsToRedeem']);
      assert.equal((await redeem(client, id, least, { type })).status, 201);
    }
  });

  test('of nobody is 404', async () => {
    for (const id of STRANGERS) fails(await redeem(client, id, 100), 404, 'User not found');
  });

  for (const [what, change, fields] of [
    ['nothing at all', { pointsToRedeem: undefined, rewardType: undefined }, ['pointsToRedeem', 'rewardType']],
    ['no points', { pointsToRedeem: 0 }, ['pointsToRedeem']],
    ['points below zero', { pointsToRedeem: -100 }, ['pointsToRedeem']],
    ['half a point', { pointsToRedeem: 100.5 }, ['pointsToRedeem']],
    ['points in quotes', { pointsToRedeem: '100' }, ['pointsToRedeem']],
    ['a reward that does not exist', { rewardType: 'yacht' }, ['rewardType']],
    ['a reward in other letters', { rewardType: 'Voucher' }, ['rewardType']],
    ['a reward that is null', { rewardType: null }, ['rewardType']],
  ]) {
    test(`${what} is 400`, async () => {
      const body = { pointsToRedeem: 100, rewardType: 'voucher', ...change };
      fails(await client.post('/rewards/redeem/nobody', { body }), 400, undefined, fields);
    });
  }
});

describe('a repeat by Idempotency-Key', () => {
  test('has no effect and is answered as the first time', async () => {
    const id = await member(client);
    const keys = [randomUUID(), randomUUID()];
    const once = async () => [
      await earn(client, id, 500, { key: keys[0], amount: 20.5 }), await redeem(client, id, 500, { key: keys[1] }),
    ];
    const first = await once();
    const second = await once();
    for (const [n, reply] of second.entries()) {
      assert.equal(reply.status, 201, reply.text);
      assert.deepEqual(reply.json, first[n].json);
      assert.deepEqual([first[n], reply].map(({ headers }) => headers['idempotent-replayed']), [undefined, 'true']);
    }
    assert.equal(await pointsOf(client, id), 0);
    assert.equal((await client.get(`/rewards/transactions/${id}`)).json.pagination.total, 1);
  });

  test('with other data is 409', async () => {
    const [id, other] = [await member(client, { points: 500 }), await member(client, { points: 500 })];
    const key = randomUUID();
    await earn(client, id, 5, { key, amount: 1 });
    for (const reply of [
      await earn(client, id, 6, { key, amount: 1 }), await earn(client, id, 5, { key, amount: 2 }),
      await earn(client, id, 5, { key, amount: 1, category: 'other' }),
      await earn(client, other, 5, { key, amount: 1 }),
      await redeem(client, id, 100, { key }),
    ]) fails(reply, 409);
    assert.deepEqual([await pointsOf(client, id), await pointsOf(client, other)], [505, 500]);
  });

  test('a key has 1 to 128 characters', async () => {
    const id = await member(client);
    for (const key of ['', 'x'.repeat(129)]) {
      fails(await earn(client, id, 1, { key }), 400, undefined, ['Idempotency-Key']);
    }
    assert.equal((await earn(client, id, 1, { key: 'x'.repeat(128) })).status, 201);
  });
});

describe('REW-03 and 04, what a member has', () => {
  test('of nobody is 404', async () => {
    for (const id of STRANGERS) {
      fails(await client.get(`/rewards/points/${id}`), 404, 'User not found');
      fails(await client.get(`/rewards/transactions/${id}`), 404, 'User not found');
    }
  });

  test('a new member has earned nothing', async () => {
    const id = await member(client);
    assert.deepEqual((await client.get(`/rewards/transactions/${id}`)).json, {
      transactions: [], pagination: { page: 1, limit: 10, total: 0, totalPages: 0 },
    });
  });

  test('pages, newest first, with redemptions between them that do not count', async () => {
    const id = await member(client);
    for (let n = 1; n <= 12; n++) {
      await earn(client, id, 100 + n);
      if (n % 3 === 0) await redeem(client, id, 100);
    }
    const page = async (query) => {
      const reply = await client.get(`/rewards/transactions/${id}${query}`);
      assert.equal(reply.status, 200, reply.text);
      const { transactions, pagination } = reply.json;
      return [transactions.map((row) => row.pointsEarned - 100), Object.values(pagination)];
    };
    assert.deepEqual(await page(''), [[12, 11, 10, 9, 8, 7, 6, 5, 4, 3], [1, 10, 12, 2]]);
    assert.deepEqual(await page('?page=2'), [[2, 1], [2, 10, 12, 2]]);
    assert.deepEqual(await page('?page=3&limit=5'), [[2, 1], [3, 5, 12, 3]]);
    assert.deepEqual(await page('?page=4&limit=3'), [[3, 2, 1], [4, 3, 12, 4]]);
    assert.deepEqual(await page('?limit=100&'), [[12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [1, 100, 12, 1]]);
    assert.deepEqual(await page('?page=1000000000&limit=100'), [[], [1000000000, 100, 12, 1]]);
  });

  test('a page or limit out of bounds is 400', async () => {
    const id = await member(client);
    for (const [query, field] of [
      ['page=0', 'page'], ['page=-1', 'page'], ['page=x', 'page'], ['page=1.5', 'page'], ['limit=0', 'limit'],
      ['limit=101', 'limit'], ['limit=ten', 'limit'],
    ]) fails(await client.get(`/rewards/transactions/${id}?${query}`), 400, undefined, [field]);
    const both = await client.get(`/rewards/transactions/${id}?page=0&limit=0`);
    fails(both, 400, undefined, ['page', 'limit']);
  });

  test('stays after a restart, from the tables', async () => {
    const id = await member(client, { points: 750 });
    await redeem(client, id, 250);
    const before = await client.get(`/rewards/transactions/${id}`);
    await server.restart();
    const points = await client.get(`/rewards/points/${id}`);
    assert.deepEqual([points.json, points.headers['x-cache']], [{ userId: id, points: 500 }, 'HIT']);
    assert.deepEqual((await client.get(`/rewards/transactions/${id}`)).json, before.json);
  });
});

describe('REW-06 and 22, the options', () => {
  test('each is found by its type', async () => {
    const list = (await client.get('/rewards/options')).json;
    for (const option of list) {
      assert.deepEqual(Object.keys(option), ['type', 'name', 'description', 'minPoints']);
      assert.deepEqual((await client.get(`/rewards/options/${option.type}`)).json, option);
    }
  });

  test('an unknown one is 404', async () => {
    for (const type of ['yacht', 'Voucher', 'voucher%20', 'x'.repeat(101)]) {
      fails(await client.get(`/rewards/options/${type}`), 404, 'Reward option not found');
    }
  });

  test('a change of the table counts at once, without a restart', async () => {
    const id = await member(client, { points: 1000 });
    await execute(server.database, `INSERT INTO reward_options (type, name, description, min_points, place)
      VALUES ('yacht', 'Yacht', 'A small one', 700, 9)`);
    await until(async () => (await client.get('/rewards/options/yacht')).status === 200, 'the new option');
    fails(await redeem(client, id, 699, { type: 'yacht' }), 400, undefined, ['pointsToRedeem']);
    assert.equal((await redeem(client, id, 700, { type: 'yacht' })).status, 201);
    await execute(server.database, "DELETE FROM reward_options WHERE type = 'yacht'");
    await until(async () => (await client.get('/rewards/options/yacht')).status === 404, 'the option to go');
    fails(await redeem(client, id, 700, { type: 'yacht' }), 400, undefined, ['rewardType']);
  });
});
