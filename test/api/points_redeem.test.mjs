// POINTS-06: points become a discount code or money in the wallet, one purchase at a time, never more than there is.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { agentFor, api, socket } from '../lib/client.mjs';
import { audit } from '../lib/people.mjs';
import { query } from '../lib/pg.mjs';
import { grant, pointsPerson, told } from '../lib/points.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const REDEEM = '/api/points/redeem';
const CODE = /^DISC-[A-Z0-9]{8}$/;

let server;
let admin;
before(async () => {
  server = await startServer();
  admin = await pointsPerson(server, 'Admin', 'admin');
});
after(async () => {
  await audit(server);
  await server.stop();
});

async function withPoints(points) {
  const person = await pointsPerson(server);
  if (points) await grant(admin, person, points);
  return person;
}

const redeem = (person, amount, more = {}, options = {}) =>
  person.api.post(REDEEM, { body: { amount, ...more }, ...options });

const balanceOf = async (person) => (await told(person, 'my-points')).balance;

/** Of the person, out of the tables: wallet (in cents), vouchers, redemptions. */
async function kept(person) {
  const [row] = await query(server.database, `SELECT
    (SELECT balance FROM account a WHERE a.owner_user_id = u.id AND kind = 'wallet') AS wallet,
    (SELECT coalesce(json_agg(v ORDER BY id), '[]') FROM (SELECT id, code, kind, amount, usage_limit, used_count
      FROM vouchers v WHERE v.owner_user_id = u.id) v) AS vouchers,
    (SELECT coalesce(json_agg(r ORDER BY posting), '[]') FROM point_redemptions r WHERE r.user_id = u.id) AS redemptions
    FROM users u WHERE u.id = ${person.number}`);
  return row;
}

describe('a redemption', () => {
  test('for a discount code, field by field', async () => {
    const ada = await withPoints(320);
    const reply = await redeem(ada, 320);
    assert.equal(reply.status, 200, reply.text);
    const { transaction: { id, createdAt }, redemption: { code } } = reply.json.data;
    assert.match(id, ID);
    assert.match(createdAt, TIME);
    assert.match(code, CODE);
    assert.deepEqual(reply.json, {
      success: true,
      data: {
        transaction: {
          id, userId: ada.id, type: 'redeem', amount: -320, balanceAfter: 0,
          description: 'Redeemed for a discount code', referenceType: null, referenceId: null,
          metadata: { purpose: 'discount_code', code }, createdAt,
        },
        redemption: { creditAmount: 3.2, currency: 'USD', code },
        newBalance: 0,
      },
    });
    const { wallet, vouchers: [voucher], redemptions: [row] } = await kept(ada);
    assert.equal(wallet, 0);
    const { id: voucherId } = voucher;
    assert.deepEqual(voucher, { id: voucherId, code, kind: 'discount', amount: 320, usage_limit: 1, used_count: 0 });
    assert.deepEqual([row.points, row.credit_amount, row.voucher_id], [320, 320, voucherId]);
    const { level, lifetimePoints } = await told(ada, 'my-points');
    assert.deepEqual([level.name, lifetimePoints], ['bronze', 320], 'what was earned stays earned');
  });

  test('for the wallet, in the same posting, and told to its owner', async () => {
    const ada = await withPoints(250);
    const ws = await socket(server, { token: ada.token });
    await ws.next('hello');
    const reply = await redeem(ada, 150, { purpose: 'wallet_credit', purchaseRequestId: 'order-1' });
    assert.equal(reply.status, 200, reply.text);
    const { transaction, redemption, newBalance } = reply.json.data;
    assert.deepEqual(redemption, { creditAmount: 1.5, currency: 'USD', code: null });
    assert.equal(newBalance, 100);
    assert.deepEqual([transaction.type, transaction.amount, transaction.balanceAfter], ['redeem', -150, 100]);
    assert.deepEqual([transaction.referenceType, transaction.referenceId], ['purchase_request', 'order-1']);
    const points = await ws.next('points-updated');
    assert.deepEqual([points.data.reason, points.data.delta, points.data.balance, points.data.transactionId],
      ['redeem', -150, 100, transaction.id]);
    const money = await ws.next('balance-updated');
    assert.deepEqual(money.data, {
      account: money.data.account, kind: 'wallet', delta: 1.5, balance: 1.5, currency: 'USD',
      transactionId: money.data.transactionId, reason: 'points.redeem',
    });
    const { wallet, vouchers } = await kept(ada);
    assert.deepEqual([wallet, vouchers], [150, []]);
    await ws.close();
  });

  test('of more than there is is refused, and leaves nothing', async () => {
    const ada = await withPoints(100);
    fails(await redeem(ada, 101), 400, 'Insufficient points balance');
    fails(await redeem(await withPoints(0), 1), 400, 'Insufficient points balance');
    assert.deepEqual((await kept(ada)).vouchers, []);
    assert.equal(await balanceOf(ada), 100);
  });

  for (const [what, body, fields] of [
    ['nothing', {}, ['amount']],
    ['0 points', { amount: 0 }, ['amount']],
    ['points taken back', { amount: -5 }, ['amount']],
    ['half a point', { amount: 1.5 }, ['amount']],
    ['points in quotes', { amount: '5' }, ['amount']],
    ['another purpose', { amount: 5, purpose: 'cash' }, ['purpose']],
    ['a purchase that is a number', { amount: 5, purchaseRequestId: 17 }, ['purchaseRequestId']],
    ['a purchase without a name', { amount: 5, purchaseRequestId: '' }, ['purchaseRequestId']],
    ['a purchase of 129 characters', { amount: 5, purchaseRequestId: 'é'.repeat(129) }, ['purchaseRequestId']],
    ['everything wrong', { amount: 'x', purpose: 1, purchaseRequestId: {} },
      ['amount', 'purpose', 'purchaseRequestId']],
  ]) {
    test(`${what} is 400`, async () => fails(await admin.api.post(REDEEM, { body }), 400, undefined, fields));
  }

  test('needs a token', async () => fails(await api(server).post(REDEEM, { body: {} }), 401, 'Unauthorized'));
});

describe('a purchase', () => {
  test('is redeemed for once, whatever the amount', async () => {
    const ada = await withPoints(500);
    const bob = await withPoints(500);
    const purchaseRequestId = `order ${'é'.repeat(121)}`;
    assert.equal((await redeem(ada, 100, { purchaseRequestId })).status, 200);
    fails(await redeem(ada, 100, { purchaseRequestId }), 409, 'Redemption already claimed');
    fails(await redeem(ada, 50, { purchaseRequestId, purpose: 'wallet_credit' }), 409, 'Redemption already claimed');
    assert.equal((await redeem(ada, 100, { purchaseRequestId: 'another' })).status, 200);
    assert.equal((await redeem(bob, 100, { purchaseRequestId })).status, 200, 'another person, another purchase');
    assert.equal((await redeem(ada, 10)).status, 200, 'null and none are no purchase');
    assert.equal((await redeem(ada, 10, { purchaseRequestId: null })).status, 200);
    assert.equal(await balanceOf(ada), 280);
  });

  test('is redeemed for once by thirty at the same moment', async () => {
    const ada = await withPoints(3000);
    const withKey = () => ({ headers: { 'idempotency-key': randomUUID() } });
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) =>
      redeem(ada, 10 + n, { purchaseRequestId: 'order-1' }, n % 2 ? withKey() : {})));
    const done = replies.filter(({ status }) => status === 200);
    assert.equal(done.length, 1);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 409, 'Redemption already claimed');
    assert.equal(await balanceOf(ada), 3000 + done[0].json.data.transaction.amount);
  });
});

describe('a repeat by Idempotency-Key', () => {
  test('has no effect and is answered as the first time, code and all', async () => {
    for (const purpose of ['discount_code', 'wallet_credit']) {
      const ada = await withPoints(500);
      const headers = { 'idempotency-key': randomUUID() };
      const body = { purpose, purchaseRequestId: 'order-1' };
      const first = await redeem(ada, 300, body, { headers });
      const second = await redeem(ada, 300, body, { headers });
      assert.equal(second.status, 200, second.text);
      assert.deepEqual(second.json, first.json);
      assert.equal(first.headers['idempotent-replayed'], undefined);
      assert.equal(second.headers['idempotent-replayed'], 'true');
      assert.equal(await balanceOf(ada), 200);
      const other = { ...body, purchaseRequestId: 'order-2' };
      for (const [amount, more] of [[301, body], [300, other], [300, { purpose }]]) {
        fails(await redeem(ada, amount, more, { headers }), 409);
      }
      fails(await redeem(ada, 10, { purchaseRequestId: 'order-1' }), 409, 'Redemption already claimed');
    }
  });

  test('of 30 at once is one redemption with one code', async () => {
    const ada = await withPoints(500);
    const headers = { 'idempotency-key': randomUUID() };
    const replies = await Promise.all(Array.from({ length: 30 }, () => redeem(ada, 20, {}, { headers })));
    for (const reply of replies) assert.deepEqual(reply.json, replies[0].json, reply.text);
    assert.equal((await kept(ada)).vouchers.length, 1);
    assert.equal(await balanceOf(ada), 480);
  });

  test('a key has 1 to 128 characters', async () => {
    const ada = await withPoints(10);
    for (const key of ['', 'x'.repeat(129)]) {
      fails(await redeem(ada, 1, {}, { headers: { 'idempotency-key': key } }), 400, undefined, ['Idempotency-Key']);
    }
  });
});

describe('at the same moment', () => {
  test('thirty redemptions of a balance for four: four', async () => {
    const ada = await withPoints(4 * 25 + 24);
    const replies = await Promise.all(Array.from({ length: 30 }, () => redeem(ada, 25)));
    const done = replies.filter(({ status }) => status === 200);
    assert.equal(done.length, 4);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 400, 'Insufficient points balance');
    assert.deepEqual(done.map(({ json }) => json.data.newBalance).sort((a, b) => b - a), [99, 74, 49, 24]);
    const { vouchers } = await kept(ada);
    assert.deepEqual(done.map(({ json }) => json.data.redemption.code).sort(), vouchers.map(({ code }) => code).sort());
  });

  test('forty of all sizes, for codes and credits, over two processes: exactly what there is', async () => {
    const two = await startServer({ workers: 2, database: server.database });
    const ada = await withPoints(1000);
    const there = { ...ada, api: api(two, { token: ada.token }) };
    await until(async () => (await told(there, 'my-points')).balance === 1000, 'both to know her');
    const agents = Array.from({ length: 40 }, () => agentFor(two.url, { maxSockets: 1 }));
    const replies = await Promise.all(agents.map((agent, n) =>
      redeem(there, 50, { purpose: n % 2 ? 'wallet_credit' : 'discount_code' }, { agent })));
    const done = replies.filter(({ status }) => status === 200);
    assert.equal(done.length, 20);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 400, 'Insufficient points balance');
    const { wallet, vouchers, redemptions } = await kept(ada);
    assert.equal(wallet + vouchers.reduce((sum, { amount }) => sum + amount, 0), 1000);
    assert.equal(redemptions.length, 20);
    assert.equal(await balanceOf(ada), 0);
    for (const agent of agents) agent.destroy();
    await two.stop();
  });

  test('with the server killed in between, and everything asked for again by its key', async () => {
    const ada = await withPoints(4 * 25);
    const wishes = Array.from({ length: 30 }, (_, n) => ({
      more: { purpose: n % 2 ? 'wallet_credit' : 'discount_code', purchaseRequestId: `order-${n}` },
      options: { headers: { 'idempotency-key': randomUUID() } },
    }));
    const ask = ({ more, options }) => redeem(ada, 25, more, options).catch(() => ({}));
    const asked = wishes.map(ask);
    await Promise.race(asked);
    await server.restart({ kill: true });
    const first = await Promise.all(asked);
    const second = await Promise.all(wishes.map(ask));
    const done = second.filter(({ status }) => status === 200);
    assert.equal(done.length, 4);
    second.forEach((reply, n) => {
      if (reply.status !== 200) fails(reply, 400, 'Insufficient points balance');
      if (first[n].status === 200) assert.deepEqual(reply.json, first[n].json, 'what was acknowledged stands');
    });
    const { wallet, vouchers, redemptions } = await kept(ada);
    assert.equal(wallet + vouchers.length * 25, 100);
    assert.equal(redemptions.length, 4);
    assert.equal(await balanceOf(ada), 0);
  });
});

test('rate, smallest redemption and currency are the server\'s, credits are rounded down to cents', async () => {
  const env = { POINTS_REDEEM_RATE: '0.003333', POINTS_MIN_REDEEM: '3', TALLY_CURRENCY: 'EUR' };
  const other = await startServer({ env, database: server.database });
  const ada = await withPoints(10_000);
  const there = { ...ada, api: api(other, { token: ada.token }) };
  await until(async () => (await told(there, 'my-points')).balance === 10_000, 'the other to know her');
  fails(await redeem(there, 2), 400, undefined, ['amount']);
  fails(await redeem(there, 3), 400, undefined, ['amount']);
  for (const [points, credit] of [[4, 0.01], [6, 0.01], [7, 0.02], [1000, 3.33], [3000, 9.99]]) {
    const { json } = await redeem(there, points);
    assert.deepEqual([json.data.redemption.creditAmount, json.data.redemption.currency], [credit, 'EUR'], `${points}`);
  }
  await other.stop();
});
