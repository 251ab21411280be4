// Payments with the sandbox provider: USR-21, 22, 23, 26, 27, 28, 29, 32, 33, 69 and 70. An invoice, what
// becomes of it, and that its owner's wallet is credited once.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { mailTo } from '../lib/mails.mjs';
import { audit, register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const TOKEN = 'a callback token of the tests';
const KEY = 'demo:demo';

let server;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1', XENDIT_CALLBACK_TOKEN: TOKEN } });
  await server.command('seed');
});
after(async () => {
  await audit(server);
  await server.stop();
});

const order = { amount: 500, description: 'Top-up' };
const checkout = async (who, body = {}) => {
  const reply = await who.api.post('/payment-checkout', { body: { ...order, ...body } });
  assert.equal(reply.status, 201, reply.text);
  return reply.json;
};
const act = (invoice, action) => api(server).post(`/sandbox/invoices/${invoice.invoice_id}/${action}`);
const detail = async (invoice) =>
  (await api(server).get(`/invoice/detail?invoice_id=${invoice.invoice_id}`)).json;
const callback = (body, token = TOKEN, on = server) =>
  api(on).post('/payment-callback', { body, headers: token === null ? {} : { 'x-callback-token': token } });
const says = (invoice, status, more = {}) => callback({
  id: invoice.invoice_id, external_id: invoice.external_id, status, amount: invoice.amount, ...more });
const cancel = (who, invoice) =>
  who.api.post('/invoice/cancel/xendit', { body: { invoice_id: invoice.invoice_id } });

/** What the wallet holds, out of the ledger itself. */
async function wallet(who) {
  const rows = await query(server.database, `SELECT a.balance FROM account a JOIN users u ON u.id = a.owner_user_id
    WHERE a.kind = 'wallet' AND u.email = '${who.email}'`);
  return rows[0].balance / 100;
}

const inbox = async (who) => query(server.database, `SELECT seq, type, data FROM inbox i
  JOIN users u ON u.id = i.user_id WHERE u.email = '${who.email}' ORDER BY seq`);

describe('USR-21, a checkout', () => {
  test('is an open invoice for a day', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada, { payment_method: 'EWALLET', ewallet_type: 'OVO', amount: 12.5 });
    const { invoice_id: id, external_id: external, username, invoice_url: url, ...rest } = invoice;
    assert.match(id, /^inv_[0-9a-f]{32}$/);
    assert.match(external, /^tally-[0-9a-f]{32}$/);
    assert.ok(username);
    assert.ok(url.endsWith(`/sandbox/invoices/${id}`), url);
    const { expiry_date: expires, created_at: created, updated_at: updated } = rest;
    for (const time of [expires, created, updated]) assert.match(time, TIME);
    assert.equal(Date.parse(expires) - Date.parse(created), 24 * 60 * 60 * 1000);
    assert.deepEqual(rest, {
      amount: 12.5, status: 'PENDING', payment_method: 'EWALLET', payment_channel: 'OVO', description: 'Top-up',
      expiry_date: expires, created_at: created, updated_at: updated, paid_at: null,
    });
    assert.deepEqual(await detail(invoice), invoice, 'USR-26 shows the same');
    assert.equal(await wallet(ada), 0);
  });

  for (const [what, body, fields] of [
    ['no amount', { amount: undefined }, ['amount']],
    ['amount 0', { amount: 0 }, ['amount']],
    ['a negative amount', { amount: -1 }, ['amount']],
    ['three decimals', { amount: 0.001 }, ['amount']],
    ['an amount in quotes', { amount: '5' }, ['amount']],
    ['no description', { description: undefined }, ['description']],
    ['a description of 256 characters', { description: 'é'.repeat(256) }, ['description']],
    ['an unknown method', { payment_method: 'BARTER' }, ['payment_method']],
    ['an e-wallet that is not named', { payment_method: 'EWALLET' }, ['ewallet_type']],
    ['an e-wallet with another method', { payment_method: 'QR_CODE', ewallet_type: 'OVO' }, ['ewallet_type']],
  ]) {
    test(`with ${what} is 400`, async () => {
      const ada = await register(server);
      fails(await ada.api.post('/payment-checkout', { body: { ...order, ...body } }), 400, undefined, fields);
    });
  }

  test('by a service is for a user by name', async () => {
    const ada = await register(server);
    const { username } = await checkout(ada);
    const reply = await api(server).post('/sys/payment-checkout', { basic: KEY, body: { username, amount: 3 } });
    assert.equal(reply.status, 201, reply.text);
    assert.deepEqual([reply.json.username, reply.json.description], [username, 'Payment']);
    fails(await api(server).post('/sys/payment-checkout', { basic: KEY, body: { username: 'no.one', amount: 3 } }),
      500, 'Account does not exist');
  });
});

describe('USR-70, the sandbox', () => {
  test('pays: wallet, status, event, receipt, once', async () => {
    const ada = await register(server);
    const ws = await socket(server, { token: ada.token });
    await ws.next('hello');
    const invoice = await checkout(ada);
    const reply = await act(invoice, 'pay');
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.status, 'PAID');
    assert.match(reply.json.paid_at, TIME);
    const status = await ws.next('payment-status');
    assert.match(status.stream, /^[0-9a-f]{24}$/);
    assert.deepEqual(status.data, {
      invoiceId: invoice.invoice_id, externalId: invoice.external_id, username: invoice.username, status: 'PAID',
      previousStatus: 'PENDING', amount: 500, currency: 'USD', paidAt: reply.json.paid_at,
    });
    const moved = await ws.next('balance-updated');
    assert.deepEqual([moved.data.kind, moved.data.delta, moved.data.balance, moved.data.reason],
      ['wallet', 500, 500, 'payment.topup']);
    const mail = await mailTo(server, ada.email, 2);
    assert.equal(mail.subject, 'Payment received: 500 USD');
    assert.ok(mail.text.includes(invoice.external_id) && mail.text.includes('Top-up'), mail.text);

    assert.equal((await act(invoice, 'pay')).json.status, 'PAID');
    assert.equal((await act(invoice, 'expire')).json.status, 'PAID');
    assert.equal(await wallet(ada), 500);
    assert.equal((await inbox(ada)).length, 1);
    await ws.close();
  });

  test('lets expire, and a late payment is honoured all the same', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    assert.equal((await act(invoice, 'expire')).json.status, 'EXPIRED');
    assert.equal(await wallet(ada), 0);
    assert.equal((await act(invoice, 'pay')).json.status, 'PAID');
    assert.equal(await wallet(ada), 500);
    assert.deepEqual((await inbox(ada)).map(({ data }) => [data.previousStatus, data.status, data.paidAt !== null]),
      [['PENDING', 'EXPIRED', false], ['EXPIRED', 'PAID', true]]);
  });

  test('knows no other invoice and no other action', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    fails(await act(invoice, 'steal'), 404);
    fails(await act({ invoice_id: 'inv_unknown' }, 'pay'), 404, 'Invoice Not Found');
  });

  test('has a page for the payer', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const { status, headers, text } = await api(server).get(`/sandbox/invoices/${invoice.invoice_id}`);
    assert.equal(status, 200);
    assert.match(headers['content-type'], /^text\/html/);
    assert.match(text, /data-action="pay"/);
    fails(await api(server).get('/sandbox/invoices/inv_unknown'), 404, 'Invoice Not Found');
  });
});

describe('USR-23, a callback', () => {
  test('without the right token is 401, whatever it says', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const body = { id: invoice.invoice_id, external_id: invoice.external_id, status: 'PAID', amount: 500 };
    for (const token of [null, '', 'a', TOKEN.slice(1), TOKEN.toUpperCase(), `${TOKEN} x`, `${TOKEN}${TOKEN}`]) {
      fails(await callback(body, token), 401, 'Unauthorized');
    }
    fails(await callback('{"id":', 'wrong'), 401, 'Unauthorized');
    assert.equal((await detail(invoice)).status, 'PENDING');
  });

  for (const [word, becomes] of [['PAID', 'PAID'], ['SETTLED', 'PAID'], ['EXPIRED', 'EXPIRED'], ['FAILED', 'FAILED'],
    ['PENDING', 'PENDING'], ['CANCELLED', 'PENDING'], ['REFUNDED', 'PENDING'], ['paid', 'PENDING']]) {
    test(`${word} makes it ${becomes}`, async () => {
      const ada = await register(server);
      const invoice = await checkout(ada);
      const reply = await says(invoice, word);
      assert.deepEqual([reply.status, reply.json], [200, { status: true, message: 'Callback processed' }]);
      assert.equal((await detail(invoice)).status, becomes);
      assert.equal(await wallet(ada), becomes === 'PAID' ? 500 : 0);
    });
  }

  test('never leads away from PAID', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    for (const word of ['PAID', 'EXPIRED', 'FAILED', 'PENDING', 'SETTLED', 'PAID']) {
      assert.equal((await says(invoice, word)).status, 200);
      assert.equal((await detail(invoice)).status, 'PAID');
    }
    assert.equal(await wallet(ada), 500);
    assert.equal((await inbox(ada)).length, 1);
  });

  test('of thirty at once credits once', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) => says(invoice, n % 3 ? 'PAID' : 'SETTLED')));
    assert.deepEqual(replies.map((reply) => reply.status), Array(30).fill(200));
    assert.equal(await wallet(ada), 500);
    assert.deepEqual((await inbox(ada)).map(({ seq, data }) => [seq, data.status]), [[1, 'PAID']]);
    const receipts = await query(server.database, `SELECT 1 FROM mail_outbox
      WHERE to_address = '${ada.email}' AND subject LIKE 'Payment received%'`);
    assert.equal(receipts.length, 1);
  });

  test('says what was paid, when and how; another amount is credited as it came and shows', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    await says(invoice, 'PAID', { paid_amount: 499.99, paid_at: '2026-02-09T10:05:00.000Z', currency: 'USD',
      payment_method: 'EWALLET', ewallet_type: 'DANA' });
    const now = await detail(invoice);
    assert.deepEqual([now.paid_at, now.payment_method, now.payment_channel, now.amount],
      ['2026-02-09T10:05:00.000Z', 'EWALLET', 'DANA', 500]);
    assert.equal(await wallet(ada), 499.99);
    const [row] = await query(server.database, `SELECT amount, paid_amount FROM payment_invoices
      WHERE invoice_id = '${invoice.invoice_id}'`);
    assert.deepEqual(row, { amount: 50000, paid_amount: 49999 });
    await server.logged('payments', 'amount_differs');
  });

  test('of another currency is held: logged, and nothing credited', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    assert.equal((await says(invoice, 'PAID', { currency: 'IDR' })).status, 200);
    assert.equal((await detail(invoice)).status, 'PENDING');
    assert.equal(await wallet(ada), 0);
    await server.logged('payments', 'held');
  });

  test('finds its invoice by either id, but not by two that are of two', async () => {
    const ada = await register(server);
    const [one, two, three] = [await checkout(ada), await checkout(ada), await checkout(ada)];
    assert.equal((await callback({ id: one.invoice_id, status: 'PAID' })).status, 200);
    assert.equal((await callback({ external_id: two.external_id, status: 'PAID' })).status, 200);
    assert.equal(await wallet(ada), 1000);
    fails(await callback({ id: one.invoice_id, external_id: three.external_id, status: 'PAID' }), 404,
      'Invoice Not Found');
    fails(await callback({ id: 'unknown', status: 'PAID' }), 404, 'Invoice Not Found');
    assert.equal((await detail(three)).status, 'PENDING');
  });

  for (const [what, body, fields] of [
    ['no id', { id: undefined, external_id: undefined }, ['external_id']],
    ['no status', { status: undefined }, ['status']],
    ['an amount in quotes', { amount: '500' }, ['amount']],
    ['an amount of three decimals', { paid_amount: 1.001 }, ['paid_amount']],
    ['a time that is none', { paid_at: 'yesterday' }, ['paid_at']],
  ]) {
    test(`with ${what} is 400 and changes nothing`, async () => {
      const ada = await register(server);
      const invoice = await checkout(ada);
      fails(await says(invoice, 'PAID', body), 400, undefined, fields);
      assert.equal((await detail(invoice)).status, 'PENDING');
    });
  }

  test('that does not parse is 400', async () => {
    for (const text of ['', '{', '[]', '{"status":"PAID"', '{"id":"a","id":"b","status":"PAID"}', '"PAID"']) {
      assert.equal((await callback(text)).status, 400, text);
    }
  });

  test('is kept as it came', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const body = `{"id":"${invoice.invoice_id}","status":"EXPIRED", "fees_paid_amount" : 1.50,"is_high":false}`;
    await callback(body);
    const rows = await query(server.database, `SELECT body, direction FROM provider_logs
      WHERE subject = 'checkout' AND subject_id = '${invoice.invoice_id}'`);
    assert.deepEqual(rows, [{ body, direction: 'in' }]);
  });

  test('for somebody whose account was closed credits closed-accounts', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const [{ balance }] = await query(server.database, `SELECT coalesce(sum(amount), 0)::bigint AS balance FROM transfer
      WHERE credit = (SELECT id FROM account WHERE code = 'closed-accounts')`);
    await execute(server.database, `UPDATE account SET status = 'closed' WHERE kind = 'wallet'
      AND owner_user_id = (SELECT id FROM users WHERE email = '${ada.email}')`);
    assert.equal((await says(invoice, 'PAID')).status, 200);
    assert.equal((await detail(invoice)).status, 'PAID');
    assert.equal(await wallet(ada), 0);
    const rows = await query(server.database, `SELECT sum(amount)::bigint AS balance FROM transfer
      WHERE credit = (SELECT id FROM account WHERE code = 'closed-accounts')`);
    assert.equal(rows[0].balance - balance, 50000);
  });

  test('for a wallet that is frozen waits: 503, and a later one credits', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const set = (status) => execute(server.database, `UPDATE account SET status = '${status}' WHERE kind = 'wallet'
      AND owner_user_id = (SELECT id FROM users WHERE email = '${ada.email}')`);
    await set('frozen');
    assert.equal((await says(invoice, 'PAID')).status, 503);
    assert.equal((await detail(invoice)).status, 'PENDING');
    await set('active');
    await until(async () => (await says(invoice, 'PAID')).status === 200, 'the credit');
    assert.equal(await wallet(ada), 500);
  });
});

describe('USR-29, cancelling', () => {
  test('closes an open invoice, once', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const reply = await cancel(ada, invoice);
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual([reply.json.status, reply.json.message, reply.json.data.status],
      [true, 'Invoice cancelled', 'CANCELLED']);
    fails(await cancel(ada, invoice), 409, 'Invoice Already Closed');
    assert.deepEqual((await inbox(ada)).map(({ data }) => [data.previousStatus, data.status]),
      [['PENDING', 'CANCELLED']]);
  });

  test('is refused for a paid one, an expired one, and somebody else\'s', async () => {
    const [ada, bob] = [await register(server), await register(server)];
    const [paid, expired, open] = [await checkout(ada), await checkout(ada), await checkout(ada)];
    await act(paid, 'pay');
    await act(expired, 'expire');
    fails(await cancel(ada, paid), 409, 'Invoice Already Paid');
    fails(await cancel(ada, expired), 409, 'Invoice Already Closed');
    fails(await cancel(bob, open), 404, 'Invoice Not Found');
    fails(await cancel(ada, { invoice_id: 'unknown' }), 404, 'Invoice Not Found');
  });

  test('racing a payment: cancelled and then honoured, or paid; the money is there either way', async () => {
    for (let n = 0; n < 20; n++) {
      const ada = await register(server);
      const invoice = await checkout(ada);
      const [gone, paid] = await Promise.all(n % 2 ? [cancel(ada, invoice), says(invoice, 'PAID')]
        : [says(invoice, 'PAID'), cancel(ada, invoice)].reverse());
      assert.equal(paid.status, 200, paid.text);
      assert.ok([200, 409].includes(gone.status), gone.text);
      assert.equal((await detail(invoice)).status, 'PAID');
      assert.equal(await wallet(ada), 500);
      const events = (await inbox(ada)).map(({ data }) => data.status);
      // 409 says what it is by now; it may have been cancelled for a moment.
      if (gone.status === 200) assert.deepEqual(events, ['CANCELLED', 'PAID']);
      else assert.equal(events.at(-1), 'PAID');
    }
  });
});

describe('lists', () => {
  test('USR-28: the caller\'s invoices, newest first, by status and page', async () => {
    const [ada, bob] = [await register(server), await register(server)];
    const all = [];
    for (let n = 1; n <= 5; n++) all.unshift(await checkout(ada, { amount: n }));
    await checkout(bob);
    await act(all[1], 'pay');
    const list = async (query_) =>
      (await ada.api.get(`/invoice/list/xendit${query_}`)).json.map(({ amount }) => amount);
    assert.deepEqual(await list(''), [5, 4, 3, 2, 1]);
    assert.deepEqual(await list('?status=PAID'), [4]);
    assert.deepEqual(await list('?limit=2&page=2'), [3, 2]);
    assert.deepEqual(await list('?page=9'), []);
    for (const bad of ['?limit=101', '?limit=0', '?page=0', '?status=LOST']) {
      assert.equal((await ada.api.get(`/invoice/list/xendit${bad}`)).status, 400, bad);
    }
  });

  test('USR-27: the caller\'s own invoice as the provider has it', async () => {
    const [ada, bob] = [await register(server), await register(server)];
    const invoice = await checkout(ada);
    const at = `/invoice/detail/xendit?invoice_id=${invoice.invoice_id}`;
    const { json } = await ada.api.get(at);
    assert.deepEqual([json.id, json.external_id, json.status, json.amount, json.currency, json.payer_email],
      [invoice.invoice_id, invoice.external_id, 'PENDING', 500, 'USD', ada.email]);
    fails(await bob.api.get(at), 404, 'Invoice Not Found');
    fails(await ada.api.get('/invoice/detail/xendit'), 400, undefined, ['invoice_id']);
  });

  test('USR-26: unknown is 404, none is 400', async () => {
    fails(await api(server).get('/invoice/detail?invoice_id=unknown'), 404, 'Invoice Not Found');
    fails(await api(server).get('/invoice/detail'), 400, undefined, ['invoice_id']);
  });

  test('USR-32: banks by name, USR-33: ways to pay', async () => {
    const { json: banks } = await api(server).post('/bank/list');
    assert.deepEqual(banks.find(({ code }) => code === 'BCA'),
      { code: 'BCA', name: 'Bank Central Asia (BCA)', can_disburse: true, can_name_validate: true });
    const names = banks.map(({ name }) => name);
    assert.deepEqual(names, [...names].sort());
    const { json: accounts } = await api(server).post('/bank/list', { body: { type: 'VIRTUAL_ACCOUNT' } });
    assert.ok(accounts.length && accounts.length < banks.length);
    fails(await api(server).post('/bank/list', { body: { type: 'PIGGY' } }), 400, undefined, ['type']);
    const { json: ways } = await api(server).get('/payment/list');
    assert.deepEqual(ways.map((way) => way.payment_method),
      ['EWALLET', 'VIRTUAL_ACCOUNT', 'QR_CODE', 'RETAIL_OUTLET', 'CREDIT_CARD']);
    assert.deepEqual(ways[0].channels.map(({ code }) => code), ['OVO', 'DANA', 'LINKAJA', 'SHOPEEPAY', 'ASTRAPAY']);
  });
});

describe('who may', () => {
  const none = {};
  const customer = { user: true };
  const key = { basic: KEY };
  const other = { basic: 'points:wrong' };
  for (const [id, method, path, allowed] of [
    ['USR-21', 'post', '/payment-checkout', 'customer'], ['USR-22', 'post', '/sys/payment-checkout', 'key'],
    ['USR-23', 'post', '/payment-callback', 'nobody'], ['USR-27', 'get', '/invoice/detail/xendit', 'customer'],
    ['USR-28', 'get', '/invoice/list/xendit', 'customer'], ['USR-29', 'post', '/invoice/cancel/xendit', 'customer'],
  ]) {
    test(`${id}: ${allowed}`, async () => {
      const ada = await register(server);
      for (const [kind, proof] of Object.entries({ none, customer, key, other })) {
        const { token } = proof.user ? ada : {};
        const options = { token, basic: proof.basic, ...(method === 'post' ? { body: {} } : {}) };
        const { status } = await api(server)[method](path, options);
        if (kind === allowed) assert.ok(status !== 401 && status !== 403, `${kind}: ${status}`);
        else assert.ok(status === 401 || status === 403, `${kind}: ${status}`);
      }
    });
  }
});

describe('with the doors closed', () => {
  test('nobody pays in the sandbox, and without a callback token every callback is refused', async () => {
    const strict = await startServer();
    const ada = await register(strict);
    const invoice = await checkout(ada);
    fails(await api(strict).post(`/sandbox/invoices/${invoice.invoice_id}/pay`), 404, 'Not Found');
    fails(await callback({ id: invoice.invoice_id, status: 'PAID' }, '', strict), 401);
    fails(await callback({ id: invoice.invoice_id, status: 'PAID' }, TOKEN, strict), 401);
    await strict.stop();
  });

  test('in production without a provider there is no checkout', async () => {
    const production = await startServer({ env: { TALLY_ENV: 'production' } });
    const ada = await register(production);
    fails(await ada.api.post('/payment-checkout', { body: order }), 502, 'Payment provider unavailable');
    await production.stop();
  });
});
