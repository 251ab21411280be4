// Payments at Xendit: USR-21, 27, 29, 44, 63, 64, 65 and 66 against a provider that works, refuses, hangs, breaks
// off, talks nonsense, or answers a byte at a time.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { audit, register } from '../lib/people.mjs';
import { openInvoices } from '../lib/payments.mjs';
import { execute, query } from '../lib/pg.mjs';
import { stallsWhile } from '../lib/provider.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';
import { SECRET_KEY, startXendit, tell } from '../lib/xendit.mjs';

const AWAY = 'Payment provider unavailable';
const order = { amount: 500, description: 'Top-up', payment_method: 'EWALLET', ewallet_type: 'OVO' };

let xendit;
let server;
before(async () => {
  xendit = await startXendit();
  server = await startServer({ env: xendit.env });
  await server.command('apikey', 'add', '--holder', 'tests', '--scope', 'userstate');
});
after(async () => {
  await audit(server);
  await server.stop();
  await xendit.close();
  const said = JSON.stringify(server.logs);
  assert.ok(!said.includes(SECRET_KEY) && !said.includes(xendit.env.XENDIT_CALLBACK_TOKEN), 'no secret in the log');
});

const checkout = async (who, body = {}) => {
  const reply = await who.api.post('/payment-checkout', { body: { ...order, ...body }, timeout: 20_000 });
  assert.equal(reply.status, 201, reply.text);
  return reply.json;
};
const detail = async ({ invoice_id: id }) => (await api(server).get(`/invoice/detail?invoice_id=${id}`)).json;
const balance = async (who) => (await who.api.get('/balance')).json.balance;
const cancel = (who, { invoice_id: id }) => who.api.post('/invoice/cancel/xendit', { body: { invoice_id: id } });
const rows = (who) => query(server.database, `SELECT i.* FROM payment_invoices i JOIN users u ON u.id = i.user_id
  WHERE u.email = '${who.email}' ORDER BY i.id`);
const paid = (invoice) => tell(server, '/payment-callback', { id: invoice.id ?? invoice.invoice_id,
  external_id: invoice.external_id, status: 'PAID', amount: invoice.amount, paid_amount: invoice.amount });

/** While the provider is in that mood. */
const during = async (mood, work) => {
  xendit.mood = mood;
  try {
    return await work();
  } finally {
    xendit.mood = null;
  }
};

describe('a checkout', () => {
  test('asks for an invoice and shows it', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const theirs = xendit.invoices.get(invoice.invoice_id);
    assert.equal(invoice.external_id, theirs.external_id);
    assert.deepEqual([invoice.invoice_url, invoice.expiry_date, invoice.status, invoice.payment_channel],
      [theirs.invoice_url, theirs.expiry_date, 'PENDING', 'OVO']);
    const { json, method, path } = xendit.provider.calls.at(-1);
    assert.deepEqual([method, path], ['POST', '/v2/invoices']);
    assert.deepEqual(json, { external_id: invoice.external_id, amount: 500, description: 'Top-up',
      invoice_duration: 86400, currency: 'USD', payer_email: ada.email, payment_methods: ['OVO'] });
  });

  for (const [mood, gone] of [[{ status: 400, json: { error_code: 'API_VALIDATION_ERROR' } }, true],
    [{ status: 403, json: {} }, true], ['broken', false], ['garbage', false], ['cut', false],
    [{ json: { id: 'x', external_id: 'somebody-elses', invoice_url: 'https://x.example' } }, false]]) {
    test(`of which the provider says ${JSON.stringify(mood)} is 502, and no invoice`, async () => {
      const ada = await register(server);
      await during(mood, async () => fails(await ada.api.post('/payment-checkout', { body: order }), 502, AWAY));
      assert.deepEqual((await ada.api.get('/invoice/list/xendit')).json, []);
      const left = await rows(ada);
      assert.equal(left.length, gone ? 0 : 1, 'only a clear no takes the row away');
      if (!gone) assert.equal(left[0].invoice_id, null);
    });
  }

  test('whose answer was lost is credited all the same when it is paid', async () => {
    const ada = await register(server);
    await during('cut', () => ada.api.post('/payment-checkout', { body: order }));
    const [{ external_id }] = await rows(ada);
    assert.equal((await paid({ id: 'late-1', external_id, amount: 500 })).status, 200);
    assert.equal(await balance(ada), 500);
    assert.deepEqual((await ada.api.get('/invoice/list/xendit')).json.map((one) => [one.invoice_id, one.status]),
      [['late-1', 'PAID']]);
  });

  test('may be paid before its answer has come', async () => {
    const ada = await register(server);
    const payFirst = async ({ json }) => {
      await paid({ id: 'early-1', ...json });
      return { json: { ...json, id: 'early-1', status: 'PENDING', invoice_url: 'https://x.example' } };
    };
    await during((call) => (call.path === '/v2/invoices' ? payFirst(call) : null), async () => {
      const invoice = await checkout(ada);
      assert.deepEqual([invoice.invoice_id, invoice.status], ['early-1', 'PAID']);
    });
    assert.equal(await balance(ada), 500);
  });

  for (const mood of ['hang', 'slow']) {
    test(`at a provider that is ${mood} ends after ten seconds and holds up nobody`, async () => {
      const ada = await register(server);
      await during(mood, async () => {
        const before_ = xendit.provider.calls.length;
        const begun = Date.now();
        const asked = Array.from({ length: 60 }, () =>
          ada.api.post('/payment-checkout', { body: order, timeout: 30_000, agent: false }));
        await until(() => xendit.provider.calls.length >= before_ + 48, 'calls to hang');
        assert.equal(await stallsWhile(server, 100), 0);
        assert.ok(xendit.provider.most <= 48, `${xendit.provider.most} calls at once`);
        for (const reply of await Promise.all(asked)) fails(reply, 502, AWAY);
        assert.ok(Date.now() - begun > 9_000, 'not before');
      });
      assert.equal((await checkout(ada)).status, 'PENDING', 'and afterwards it works again');
    });
  }
});

describe('USR-27 and 29', () => {
  test('the invoice as the provider has it, passed through', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const path = `/invoice/detail/xendit?invoice_id=${invoice.invoice_id}`;
    assert.deepEqual((await ada.api.get(path)).json, xendit.invoices.get(invoice.invoice_id));
    await during('broken', async () => fails(await ada.api.get(path), 502, AWAY));
    await during('garbage', async () => fails(await ada.api.get(path), 502, AWAY));
    fails(await (await register(server)).api.get(path), 404, 'Invoice Not Found');
  });

  test('cancelling expires it there first', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    const reply = await cancel(ada, invoice);
    assert.deepEqual([reply.status, reply.json.data?.status], [200, 'CANCELLED'], reply.text);
    assert.equal(xendit.invoices.get(invoice.invoice_id).status, 'EXPIRED');
    assert.equal(xendit.provider.calls.at(-1).path, `/invoices/${invoice.invoice_id}/expire!`);
  });

  test('what is paid there already is credited instead, before its callback has come', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    Object.assign(xendit.invoices.get(invoice.invoice_id), { status: 'PAID', paid_amount: 500 });
    fails(await cancel(ada, invoice), 409, 'Invoice Already Paid');
    assert.equal((await detail(invoice)).status, 'PAID');
    assert.equal(await balance(ada), 500);
    assert.equal((await paid(invoice)).status, 200);
    assert.equal(await balance(ada), 500);
  });

  test('a provider that does not answer leaves it open: 502', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    for (const mood of ['broken', 'cut']) {
      await during(mood, async () => fails(await cancel(ada, invoice), 502, AWAY));
      assert.equal((await detail(invoice)).status, 'PENDING');
    }
  });

  test('the provider\'s word of the expiry overtakes his answer: it is cancelled, not expired', async () => {
    const ada = await register(server);
    const invoice = await checkout(ada);
    await during((call) => (call.path.endsWith('/expire!')
      ? tell(server, '/payment-callback', { id: invoice.invoice_id, status: 'EXPIRED' })
        .then(() => ({ json: { ...xendit.invoices.get(invoice.invoice_id), status: 'EXPIRED' } })) : null),
    async () => assert.equal((await cancel(ada, invoice)).json.data.status, 'CANCELLED'));
  });
});

describe('payouts', () => {
  const bank = { bank_code: 'BCA', account_number: '1234567890', account_holder_name: 'Ada Example' };
  const payout = (who, amount, options = {}) =>
    who.api.post('/payout', { body: { amount, ...bank, description: 'Savings', ...options.body }, ...options.more });
  const rich = async (amount = 100) => {
    const who = await register(server);
    await paid(await checkout(who, { amount }));
    return who;
  };
  const says = (reference_id, status, more = {}) =>
    tell(server, '/payout-callback', { event: 'payout', data: { reference_id, status, ...more } });
  const status = async (who, { payout_id: id }) => (await who.api.get(`/payout/detail?payout_id=${id}`)).json.status;

  test('USR-63: taken from the wallet, asked for once, shown', async () => {
    const ada = await rich();
    const reply = await payout(ada, 40);
    assert.equal(reply.status, 201, reply.text);
    const { payout_id: id, reference_id: reference, username, created_at: at, updated_at: since, ...rest } = reply.json;
    assert.ok(id && reference && username && at && since);
    assert.deepEqual(rest, { amount: 40, status: 'PENDING', ...bank, description: 'Savings' });
    assert.equal(await balance(ada), 60);
    const theirs = xendit.payouts.get(reference);
    assert.deepEqual([theirs.times, theirs.channel_code, theirs.amount, theirs.currency, theirs.channel_properties],
      [1, 'ID_BCA', 40, 'USD', { account_number: '1234567890', account_holder_name: 'Ada Example' }]);
    assert.deepEqual((await ada.api.get('/payout/list')).json, [reply.json]);
    fails(await (await register(server)).api.get(`/payout/detail?payout_id=${id}`), 404, 'Payout Not Found');
  });

  test('USR-66: succeeded once and for all; what failed comes back, once', async () => {
    const ada = await rich();
    const [good, bad] = [(await payout(ada, 10)).json, (await payout(ada, 30)).json];
    for (const word of ['ACCEPTED', 'SUCCEEDED', 'FAILED', 'SUCCEEDED']) {
      assert.equal((await says(good.reference_id, word)).status, 200);
    }
    assert.deepEqual([await status(ada, good), await balance(ada)], ['COMPLETED', 60]);
    const replies = await Promise.all(Array.from({ length: 20 }, () => says(bad.reference_id, 'FAILED')));
    assert.deepEqual(replies.map((reply) => reply.status), Array(20).fill(200));
    assert.deepEqual([await status(ada, bad), await balance(ada)], ['FAILED', 90]);
    await says(bad.reference_id, 'SUCCEEDED');
    assert.deepEqual([await status(ada, bad), await balance(ada)], ['FAILED', 90]);
    assert.equal((await says(good.reference_id, 'REVERSED')).status, 200);
    assert.deepEqual([await status(ada, good), await balance(ada)], ['FAILED', 100]);
    fails(await says('unknown', 'FAILED'), 404, 'Payout Not Found');
    fails(await tell(server, '/payout-callback', { data: {} }), 400, undefined, ['data']);
    fails(await tell(server, '/payout-callback', { data: { reference_id: 'x', status: 'FAILED' } }, 'forged'), 401);
  });

  test('refused by the provider: returned at once', async () => {
    const ada = await rich();
    const no = { status: 400, json: { error_code: 'CHANNEL_CODE_NOT_SUPPORTED' } };
    const reply = await during(no, () => payout(ada, 40));
    assert.deepEqual([reply.status, reply.json.status], [201, 'FAILED'], reply.text);
    assert.equal(await balance(ada), 100);
  });

  test('not known: it stays, and is asked for again with the same key', async () => {
    const ada = await rich();
    const reply = await during('broken', () => payout(ada, 40));
    assert.deepEqual([reply.status, reply.json.status], [201, 'PENDING'], reply.text);
    assert.equal(await balance(ada), 60);
    await execute(server.database, 'UPDATE payouts SET next_try_at = now()');
    await until(() => xendit.payouts.has(reply.json.reference_id), 'the sweep', { timeout: 90_000 });
    assert.equal(xendit.payouts.get(reply.json.reference_id).times, 1);
  });

  test('more than there is, an unknown bank, a repeat', async () => {
    const ada = await rich();
    fails(await payout(ada, 100.01), 400, 'Insufficient Balance');
    fails(await payout(ada, 1, { body: { bank_code: 'PIGGY' } }), 400, undefined, ['bank_code']);
    assert.equal(await balance(ada), 100);
    const more = { headers: { 'idempotency-key': randomUUID() } };
    const [first, second] = [await payout(ada, 7, { more }), await payout(ada, 7, { more })];
    assert.equal(second.headers['idempotent-replayed'], 'true');
    assert.equal(second.json.payout_id, first.json.payout_id);
    fails(await payout(ada, 8, { more }), 409);
    assert.equal(await balance(ada), 93);
  });
});

describe('USR-44, the synchronisation', () => {
  let key;
  before(async () => {
    key = `sync:${(await server.command('apikey', 'add', '--holder', 'sync', '--scope', 'userstate')).trim()
      .split(/\s+/).pop()}`;
  });
  const run = async (on = server) => api(on).get('/scheduler', { basic: key, timeout: 60_000 });

  test('brings what the provider has: paid, expired, still open', async () => {
    const ada = await register(server);
    const [one, two, three] = [await checkout(ada), await checkout(ada), await checkout(ada)];
    Object.assign(xendit.invoices.get(one.invoice_id), { status: 'PAID', paid_amount: 500 });
    xendit.invoices.get(two.invoice_id).status = 'EXPIRED';
    const reply = await run();
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual([reply.json.status, reply.json.message, reply.json.data.updated],
      [true, 'Synchronisation finished', 2]);
    assert.deepEqual([(await detail(one)).status, (await detail(two)).status, (await detail(three)).status],
      ['PAID', 'EXPIRED', 'PENDING']);
    assert.equal(await balance(ada), 500);
    assert.equal((await run()).json.data.updated, 0);
  });

  test('is done by one process at a time', async () => {
    const other = await startServer({ database: server.database, env: xendit.env });
    await checkout(await register(server));
    xendit.latency = 300;
    const replies = await Promise.all([run(), run(other), run(), run(other)]);
    xendit.latency = 0;
    assert.deepEqual(replies.map((reply) => reply.status).sort(), [200, 409, 409, 409]);
    await other.stop();
  });

  function atProvider(id, status) {
    xendit.invoices.set(id, { id, external_id: id, status, amount: 1, paid_amount: 1 });
  }

  test('asks for many at once, and not for all', async () => {
    const ada = await register(server);
    await openInvoices(server, ada, 'many', 2000);
    for (let n = 1; n <= 2000; n++) atProvider(`many-${n}`, n % 2 ? 'PAID' : 'EXPIRED');
    Object.assign(xendit, { latency: 20 });
    xendit.provider.most = 0;
    const [reply, stalls] = await Promise.all([run(), stallsWhile(server, 50)]);
    Object.assign(xendit, { latency: 0 });
    assert.ok(reply.json?.data.updated >= 2000, reply.text);
    assert.equal(stalls, 0);
    assert.ok(xendit.provider.most > 10 && xendit.provider.most <= 40, `${xendit.provider.most} at once`);
    assert.equal(await balance(ada), 1000);
  });

  test('counts what has changed, not what it could not learn', async () => {
    const ada = await register(server);
    await openInvoices(server, ada, 'some', 60);
    for (let n = 1; n <= 30; n++) atProvider(`some-${n}`, 'PAID');
    const reply = await run();
    assert.equal(reply.json?.data.updated, 30, reply.text);
    assert.equal(await balance(ada), 30);
    assert.equal((await run()).json.data.updated, 0);
    await execute(server.database,
      `DELETE FROM payment_invoices WHERE external_id LIKE 'some-%' AND status = 'PENDING'`);
  });

  test('leaves a provider alone that only fails', async () => {
    await openInvoices(server, await register(server), 'lost', 1000);
    const before_ = xendit.provider.calls.length;
    const reply = await during('broken', () => run());
    assert.equal(reply.status, 200, reply.text);
    assert.ok(xendit.provider.calls.length - before_ < 100, `${xendit.provider.calls.length - before_} calls`);
    await server.logged('payments', 'sync_given_up');
    await execute(server.database, `DELETE FROM payment_invoices WHERE external_id LIKE 'lost-%'`);
  });
});
