// The wallet, its vouchers, and points that become money: USR-24, 25, 30, 31, 35, 67 and 68.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { audit, register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, TIME } from '../lib/shapes.mjs';

const service = { basic: 'demo:demo' };

let server;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  await server.command('seed');
});
after(async () => {
  await audit(server);
  await server.stop();
});

let count = 0;
const newCode = () => `CODE${++count}`;

/** A person with that much in the wallet: { …person, username }. */
async function rich(amount = 0) {
  const person = await register(server);
  const [{ username }] = await query(server.database, `SELECT username FROM users WHERE email = '${person.email}'`);
  if (amount) {
    const { json } = await person.api.post('/payment-checkout', { body: { amount, description: 'x' } });
    assert.equal((await api(server).post(`/sandbox/invoices/${json.invoice_id}/pay`)).status, 200);
  }
  return { ...person, username };
}

const balance = async (who) => (await who.api.get('/balance')).json;
const spend = (who, amount, options = {}) =>
  who.api.post('/balance/decrease', { body: { amount, description: 'coffee' }, ...options });
const create = (code, more = {}) =>
  api(server).post('/sys/voucher', { ...service, body: { voucher_code: code, amount: 25, ...more } });
const redeem = (who, code, options = {}) =>
  api(server).post('/redeem-voucher', { ...service, body: { username: who.username, voucher_code: code }, ...options });
const check = async (who, code) => (await who.api.get(`/check-voucher-redemption?voucher_code=${code}`)).json;
const used = async (code) =>
  (await query(server.database, `SELECT used_count FROM vouchers WHERE code = '${code}'`))[0].used_count;

describe('USR-24 and 25', () => {
  test('what is there, and less after spending', async () => {
    const ada = await rich(100);
    const ws = await socket(server, { token: ada.token });
    await ws.next('hello');
    assert.deepEqual(await balance(ada), { balance: 100, points: 0 });
    const reply = await spend(ada, 40.5);
    assert.deepEqual([reply.status, reply.json], [200, { balance: 59.5, points: 0 }]);
    assert.deepEqual(await balance(ada), { balance: 59.5, points: 0 });
    // That of the payment may come after hello, too.
    const { type, data } = await ws.until((frame) => frame.data?.reason === 'wallet.decrease');
    assert.deepEqual([type, data.kind, data.delta, data.balance], ['balance-updated', 'wallet', -40.5, 59.5]);
    const rows = await query(server.database, `SELECT memo FROM transfer WHERE kind = 'wallet.decrease'
      AND debit = (SELECT a.id FROM account a JOIN users u ON u.id = a.owner_user_id
                   WHERE a.kind = 'wallet' AND u.username = '${ada.username}')`);
    assert.deepEqual(rows, [{ memo: 'coffee' }]);
    await ws.close();
  });

  test('never below zero, also by thirty at once', async () => {
    const ada = await rich(10);
    fails(await spend(ada, 10.01), 400, 'Insufficient Balance');
    const replies = await Promise.all(Array.from({ length: 30 }, () => spend(ada, 1)));
    assert.equal(replies.filter(({ status }) => status === 200).length, 10);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 400, 'Insufficient Balance');
    assert.deepEqual(await balance(ada), { balance: 0, points: 0 });
  });

  test('a repeat by Idempotency-Key spends once', async () => {
    const ada = await rich(10);
    const headers = { 'idempotency-key': randomUUID() };
    const [first, second] = [await spend(ada, 3, { headers }), await spend(ada, 3, { headers })];
    assert.deepEqual([second.status, second.json], [200, first.json]);
    assert.equal(second.headers['idempotent-replayed'], 'true');
    fails(await spend(ada, 4, { headers }), 409);
    assert.equal((await balance(ada)).balance, 7);
  });

  for (const [what, body, fields] of [
    ['nothing', {}, ['amount', 'description']],
    ['amount 0', { amount: 0, description: 'x' }, ['amount']],
    ['a negative amount', { amount: -5, description: 'x' }, ['amount']],
    ['three decimals', { amount: 0.001, description: 'x' }, ['amount']],
    ['a blank description', { amount: 1, description: ' ' }, ['description']],
  ]) {
    test(`${what} is 400`, async () => {
      const ada = await rich();
      fails(await ada.api.post('/balance/decrease', { body }), 400, undefined, fields);
    });
  }
});

describe('vouchers', () => {
  test('USR-67 and 68: created once, listed with their use', async () => {
    const code = newCode();
    const reply = await create(code, { usage_limit: 2, valid_until: '2036-05-06', description: 'Spring' });
    assert.equal(reply.status, 201, reply.text);
    const { created_at: created, ...data } = reply.json.data;
    assert.match(created, TIME);
    assert.deepEqual(data, { voucher_code: code, kind: 'promo', amount: 25, usage_limit: 2, used_count: 0,
      valid_until: '2036-05-06T23:59:59.999Z', description: 'Spring' });
    fails(await create(code.toLowerCase()), 409, 'Voucher Already Exists');
    await redeem(await rich(), code);
    const { json } = await api(server).get('/sys/voucher/list', service);
    assert.deepEqual(json.find((voucher) => voucher.voucher_code === code), { ...reply.json.data, used_count: 1 });
    fails(await create(newCode(), { amount: 0, usage_limit: 0 }), 400, undefined, ['amount', 'usage_limit']);
  });

  test('USR-30: credited to the wallet, once per user', async () => {
    const [ada, bob] = [await rich(), await rich(5)];
    const code = newCode();
    await create(code);
    assert.deepEqual(await check(ada, code), { voucher_code: code, redeemed: false, redeemed_at: null });
    const reply = await redeem(ada, code.toLowerCase());
    assert.equal(reply.status, 200, reply.text);
    const { redeemed_at: at } = reply.json.data;
    assert.match(at, TIME);
    assert.deepEqual(reply.json, { status: true, message: 'Voucher redeemed',
      data: { username: ada.username, voucher_code: code, amount: 25, balance: 25, redeemed_at: at } });
    assert.deepEqual(await check(ada, code), { voucher_code: code, redeemed: true, redeemed_at: at });
    fails(await redeem(ada, code), 409, 'Voucher Already Redeemed');
    assert.equal((await redeem(bob, code)).json.data.balance, 30);
    assert.equal(await used(code), 2);
    assert.deepEqual(await balance(ada), { balance: 25, points: 0 });
  });

  test('unknown user, unknown voucher, one whose time is over', async () => {
    const ada = await rich();
    const code = newCode();
    await create(code, { valid_until: '2020-01-01' });
    fails(await redeem({ username: 'no.one' }, code), 500, 'Account does not exist');
    fails(await redeem(ada, 'NOSUCH'), 404, 'Voucher Not Found');
    fails(await redeem(ada, code), 400, 'Voucher Expired');
    assert.deepEqual(await check(ada, 'NOSUCH'), { voucher_code: 'NOSUCH', redeemed: false, redeemed_at: null });
    fails(await ada.api.get('/check-voucher-redemption'), 400, undefined, ['voucher_code']);
    assert.equal(await used(code), 0);
  });

  test('the last use raced by thirty people goes to one', async () => {
    const code = newCode();
    await create(code, { usage_limit: 1 });
    const people = await Promise.all(Array.from({ length: 30 }, () => rich()));
    const replies = await Promise.all(people.map((who) => redeem(who, code)));
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 409, 'Voucher Already Redeemed');
    assert.equal(await used(code), 1);
    const all = await Promise.all(people.map(balance));
    assert.equal(all.reduce((sum, one) => sum + one.balance, 0), 25);
  });

  test('thirty redemptions of one person at once, at two servers, are one', async () => {
    const other = await startServer({ database: server.database, env: { TALLY_OPEN: '1' } });
    const ada = await rich();
    const code = newCode();
    await create(code, { usage_limit: 100 });
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) =>
      api(n % 2 ? server : other).post('/redeem-voucher',
        { ...service, body: { username: ada.username, voucher_code: code } })));
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 409, 'Voucher Already Redeemed');
    assert.equal(await used(code), 1);
    assert.deepEqual(await balance(ada), { balance: 25, points: 0 });
    await other.stop();
  });

  test('a repeat by Idempotency-Key is answered as the first time', async () => {
    const ada = await rich();
    const code = newCode();
    await create(code);
    const headers = { 'idempotency-key': randomUUID() };
    const [first, second] = [await redeem(ada, code, { headers }), await redeem(ada, code, { headers })];
    assert.deepEqual([second.status, second.json], [200, first.json]);
    assert.equal(await used(code), 1);
  });

  test('a discount code is credited to its owner only, once', async () => {
    const [ada, bob] = [await rich(), await rich()];
    const code = `DISC-${newCode()}`;
    await execute(server.database, `INSERT INTO vouchers (code, kind, owner_user_id, amount)
      SELECT '${code}', 'discount', id, 750 FROM users WHERE username = '${ada.username}'`);
    fails(await redeem(bob, code), 404, 'Voucher Not Found');
    assert.equal((await redeem(ada, code)).json.data.balance, 7.5);
    fails(await redeem(ada, code), 409, 'Voucher Already Redeemed');
  });
});

describe('USR-35, points into the wallet', () => {
  const grant = (who, amount) => api(server).post('/internal/points/earn',
    { ...service, body: { userId: who.id, amount, type: 'earn', description: 'x' } });
  const turn = (who, points, options = {}) => who.api.post('/points/redeem', { body: { points }, ...options });

  test('both in one posting, at the rate of POINTS-06', async () => {
    const ada = await rich(10);
    assert.equal((await grant(ada, 150)).status, 200);
    const reply = await turn(ada, 100);
    assert.deepEqual([reply.status, reply.json], [200, { status: true, message: 'Points redeemed',
      data: { points_redeemed: 100, amount: 1, balance: 11, points: 50 } }], reply.text);
    assert.deepEqual(await balance(ada), { balance: 11, points: 50 });
    fails(await turn(ada, 51), 400, 'Insufficient Points');
    for (const points of [0, -1, 0.5, '5']) fails(await turn(ada, points), 400, undefined, ['points']);
    fails(await api(server).post('/points/redeem', { body: { points: 1 } }), 401);
  });

  test('never more than there are, by thirty at once; a repeat by Idempotency-Key turns them once', async () => {
    const ada = await rich();
    await grant(ada, 100);
    const replies = await Promise.all(Array.from({ length: 30 }, () => turn(ada, 10)));
    assert.equal(replies.filter(({ status }) => status === 200).length, 10);
    assert.deepEqual(await balance(ada), { balance: 1, points: 0 });
    await grant(ada, 100);
    const headers = { 'idempotency-key': randomUUID() };
    const [first, second] = [await turn(ada, 10, { headers }), await turn(ada, 10, { headers })];
    assert.deepEqual(second.json, first.json);
    assert.deepEqual(await balance(ada), { balance: 1.1, points: 90 });
  });
});

test('who may: the wallet its owner, vouchers a key with the scope', async () => {
  const ada = await rich();
  for (const [method, path, allowed] of [
    ['get', '/balance', 'token'], ['post', '/balance/decrease', 'token'], ['get', '/check-voucher-redemption', 'token'],
    ['post', '/redeem-voucher', 'basic'], ['post', '/sys/voucher', 'basic'], ['get', '/sys/voucher/list', 'basic'],
  ]) {
    const proofs = { none: {}, token: { token: ada.token }, basic: service, wrong: { basic: 'demo:wrong' } };
    for (const [kind, proof] of Object.entries(proofs)) {
      const { status } = await api(server)[method](path, { ...proof, ...(method === 'post' ? { body: {} } : {}) });
      if (kind === allowed) assert.ok([200, 400].includes(status), `${path} ${kind}: ${status}`);
      else assert.ok([401, 403].includes(status), `${path} ${kind}: ${status}`);
    }
  }
});
