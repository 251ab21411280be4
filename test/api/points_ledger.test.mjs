// POINTS-02: the caller's points ledger, its filters, its pages, and its total however long it is.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { audit } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { grant, keyFor, pointsPerson, told } from '../lib/points.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

let server;
let admin;
let service;
let ada;
const made = [];      // the transactions that made Ada's ledger, newest first
before(async () => {
  server = await startServer();
  admin = await pointsPerson(server, 'Admin', 'admin');
  service = await keyFor(server);
  ada = await pointsPerson(server, 'Ada');
  const earn = async (type, amount, more = {}) => {
    const reply = await service.post('/internal/points/earn', { body: { userId: ada.id, type, amount, ...more } });
    assert.equal(reply.status, 200, reply.text);
    return reply.json.data.transaction;
  };
  made.unshift(await grant(admin, ada, 500, { metadata: { ticket: [1, 'é'] } }));
  made.unshift(await earn('purchase', 40, { referenceType: 'order', referenceId: '17', description: 'A chair' }));
  made.unshift(await earn('review', 5));
  made.unshift(await grant(admin, ada, -45, { reason: 'taken back' }));
  made.unshift((await ada.api.post('/api/points/redeem', { body: { amount: 100 } })).json.data.transaction);
  made.unshift(await earn('referral', 50));
  made.unshift(await earn('earn', 1));
  made.unshift((await ada.api.post('/api/points/redeem', { body: { amount: 50 } })).json.data.transaction);
  // Somebody else's, which must not appear.
  await grant(admin, await pointsPerson(server, 'Bob'), 7);
});
after(async () => {
  await audit(server);
  await server.stop();
});

const list = (query = '') => told(ada, `transactions${query && `?${query}`}`);
const refused = async (query, ...fields) =>
  fails(await ada.api.get(`/api/points/transactions?${query}`), 400, undefined, fields);

describe('the ledger', () => {
  test('shows everything as it was answered when it was made, newest first', async () => {
    assert.deepEqual(await list(), {
      transactions: made, pagination: { page: 1, limit: 20, total: 8, hasMore: false },
    });
  });

  test('of a new person is empty', async () => {
    const eve = await pointsPerson(server, 'Eve');
    assert.deepEqual(await told(eve, 'transactions'), {
      transactions: [], pagination: { page: 1, limit: 20, total: 0, hasMore: false },
    });
  });

  test('comes in pages that hold everything once', async () => {
    const ids = [];
    for (let page = 1; page <= 4; page++) {
      const { transactions, pagination } = await list(`page=${page}&limit=3`);
      assert.deepEqual(pagination, { page, limit: 3, total: 8, hasMore: page < 3 });
      ids.push(...transactions.map(({ id }) => id));
    }
    assert.deepEqual(ids, made.map(({ id }) => id));
  });

  for (const [type, count] of Object.entries({
    earn: 1, redeem: 2, referral: 1, purchase: 1, review: 1, admin_grant: 1, admin_deduct: 1,
  })) {
    test(`of type ${type} only`, async () => {
      const expected = made.filter((transaction) => transaction.type === type);
      assert.equal(expected.length, count);
      const { transactions, pagination } = await list(`type=${type}`);
      assert.deepEqual(transactions, expected);
      assert.equal(pagination.total, count);
    });
  }

  test('with filters comes in pages, too', async () => {
    const redeemed = made.filter(({ type }) => type === 'redeem');
    for (let page = 1; page <= 3; page++) {
      const { transactions, pagination } = await list(`type=redeem&page=${page}&limit=1`);
      assert.deepEqual(transactions, redeemed.slice(page - 1, page));
      assert.deepEqual(pagination, { page, limit: 1, total: 2, hasMore: page < 2 });
    }
  });

  test('from and to are inclusive to the millisecond that a reply shows', async () => {
    const [newest, oldest] = [made[1].createdAt, made[5].createdAt];
    const within = made.filter(({ createdAt }) => createdAt >= oldest && createdAt <= newest);
    assert.deepEqual((await list(`from=${oldest}&to=${newest}`)).transactions, within);
    assert.deepEqual((await list(`from=${newest}`)).transactions, made.filter(({ createdAt }) => createdAt >= newest));
    assert.deepEqual((await list(`to=${oldest}`)).transactions, made.filter(({ createdAt }) => createdAt <= oldest));
    const both = await list(`from=${oldest}&to=${newest}&type=admin_deduct`);
    assert.deepEqual(both.transactions, within.filter(({ type }) => type === 'admin_deduct'));
    assert.equal(both.pagination.total, both.transactions.length);
  });

  test('a date without a time covers the whole UTC day', async () => {
    const eve = await pointsPerson(server, 'Eve');
    const days = ['2026-03-01T00:00:00.000Z', '2026-03-01T23:59:59.999Z', '2026-03-02T00:00:00.000Z',
      '2026-02-28T23:59:59.999Z'];
    for (const day of days) {
      await grant(admin, eve, 1);
      await execute(server.database, `UPDATE transfer SET created_at = '${day}' WHERE credit_version = (SELECT version
        FROM account a WHERE owner_user_id = ${eve.number} AND kind = 'points') AND credit = (SELECT id FROM account
        WHERE owner_user_id = ${eve.number} AND kind = 'points')`);
    }
    const times = async (query) => {
      const { transactions } = await told(eve, `transactions?${query}`);
      return transactions.map(({ createdAt }) => createdAt);
    };
    assert.deepEqual(await times('from=2026-03-01&to=2026-03-01'), [days[1], days[0]]);
    assert.deepEqual(await times('from=2026-03-01'), [days[2], days[1], days[0]]);
    assert.deepEqual(await times('to=2026-03-01'), [days[1], days[0], days[3]]);
  });

  test('an empty span is fine, a span that ends before it begins is not', async () => {
    assert.deepEqual((await list('from=2001-01-01&to=2001-01-01')).transactions, []);
    await refused('from=2026-03-02&to=2026-03-01', 'from');
    await refused('from=2026-03-01T12:00:00.001Z&to=2026-03-01T12:00:00.000Z', 'from');
  });

  test('what it does not understand is 400, all at once', async () => {
    for (const bad of ['0', '-1', 'x', '1.5']) await refused(`page=${bad}`, 'page');
    for (const bad of ['0', '101', 'x']) await refused(`limit=${bad}`, 'limit');
    for (const bad of ['gift', 'EARN']) await refused(`type=${bad}`, 'type');
    for (const bad of ['yesterday', '2026-02-30', '17']) await refused(`from=${bad}`, 'from');
    await refused('page=0&limit=0&type=x&from=x&to=x', 'page', 'limit', 'type', 'from', 'to');
    assert.equal((await list('limit=100&unknown=1')).pagination.limit, 100);
  });
});

describe('a long ledger', () => {
  const LENGTH = 30_000;

  test('has an exact total and every page, with and without filters', async () => {
    const eve = await pointsPerson(server, 'Eve');
    // As the ledger would have written them; every tenth is a review, ten to a second.
    await execute(server.database, `
      WITH me AS (SELECT id FROM account WHERE owner_user_id = ${eve.number} AND kind = 'points'),
        issuer AS (SELECT id FROM account WHERE code = 'points-issuer')
      INSERT INTO transfer (id, posting, kind, debit, credit, amount, credit_after, credit_version, lifetime_after,
        created_at, idem)
      SELECT 1000000000000 + n, 1000000000000 + n, CASE WHEN n % 10 = 0 THEN 'points.review' ELSE 'points.purchase' END,
        issuer.id, me.id, 1, n, n, n, '2026-01-01'::timestamptz + (n / 10) * interval '1 second', gen_random_uuid()
      FROM generate_series(1, ${LENGTH}) AS n, me, issuer;
      UPDATE account SET version = ${LENGTH}, balance = ${LENGTH}, lifetime = ${LENGTH}
      WHERE owner_user_id = ${eve.number} AND kind = 'points';`);
    const look = (query) => told(eve, `transactions?${query}`);
    const all = await look('page=2&limit=100');
    assert.deepEqual(all.pagination, { page: 2, limit: 100, total: LENGTH, hasMore: true });
    assert.deepEqual(all.transactions.map(({ balanceAfter }) => balanceAfter),
      Array.from({ length: 100 }, (_, n) => LENGTH - 100 - n));
    const last = await look(`page=${LENGTH / 100}&limit=100`);
    assert.deepEqual([last.transactions.length, last.transactions.at(-1).balanceAfter], [100, 1]);
    assert.equal(last.pagination.hasMore, false);
    for (const time of ['counted', 'from the mark']) {
      const reviews = await look('type=review&page=30&limit=100');
      assert.deepEqual(reviews.pagination, { page: 30, limit: 100, total: LENGTH / 10, hasMore: false }, time);
      assert.equal(reviews.transactions.at(-1).balanceAfter, 10);
    }
    const second = await look('from=2026-01-01T00:00:10Z&to=2026-01-01T00:00:19.999Z&type=purchase&limit=5');
    assert.equal(second.pagination.total, 90);
    assert.deepEqual(second.transactions.map(({ balanceAfter }) => balanceAfter), [199, 198, 197, 196, 195]);
    // Few lie outside of this one; of the last, as many outside as inside.
    const wide = 'from=2026-01-01T00:00:10Z';
    const totals = { [wide]: LENGTH - 99, [`${wide}&type=purchase`]: 0.9 * LENGTH - 90, [`${wide}&type=redeem`]: 0,
      'to=2025-12-31': 0, 'from=2026-01-01T00:25:00Z': LENGTH / 2 + 1,
      'from=2026-01-01T00:25:00Z&type=review': LENGTH / 20 + 1 };
    for (const [span, total] of Object.entries(totals)) {
      assert.equal((await look(span)).pagination.total, total, span);
    }
    const marks = await query(server.database, 'SELECT upto FROM transfer_tally');
    assert.deepEqual(marks, [{ upto: LENGTH }]);
  });
});
