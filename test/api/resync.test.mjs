// A snapshot tells how things stand: balances, levels and open invoices, and nothing falls between it and what is told
// afterwards, however long it takes to read.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { blocked, holding } from '../lib/blocked.mjs';
import { api, socket } from '../lib/client.mjs';
import { comeBack, eventsOf, listen, settledCustomer } from '../lib/listen.mjs';
import { audit, fund, register, systemUser } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const TOKEN = 'a callback token of the tests';

let server;
let system;
before(async () => {
  server = await startServer({ env: { XENDIT_CALLBACK_TOKEN: TOKEN } });
  system = await systemUser(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

async function checkout(who, amount) {
  const reply = await who.api.post('/payment-checkout', { body: { amount, description: 'Top-up' } });
  assert.equal(reply.status, 201, reply.text);
  return reply.json;
}

async function says(invoice, status) {
  const body = { id: invoice.invoice_id, external_id: invoice.external_id, status, amount: invoice.amount };
  const reply = await api(server).post('/payment-callback', { body, headers: { 'x-callback-token': TOKEN } });
  assert.equal(reply.status, 200, reply.text);
}

const shown = ({ invoice_id: invoiceId, external_id: externalId, username, amount }) =>
  ({ invoiceId, externalId, username, status: 'PENDING', amount, currency: 'USD', paidAt: null });

/** So many events of somebody that a cursor from before them is too old. A witness tells when all of them have come. */
async function manyEvents(who) {
  const witness = await listen(server, who);
  await execute(server.database, `
    SELECT tell_inbox(array_agg(u.id), 'payment-status', array_agg(jsonb_build_object('invoiceId', 'old-' || n)))
    FROM users u, generate_series(1, 1100) AS n WHERE u.email = '${who.email}'`);
  await until(() => eventsOf(witness).length === 1100, 'the witness to hear of all');
  await witness.close();
}

test('the open invoices of the owner, newest first, and no others', async () => {
  const [ada, bob] = [await settledCustomer(server, system), await register(server)];
  const paid = await checkout(ada, 10);
  const [first, second] = [await checkout(ada, 20), await checkout(ada, 30)];
  const expired = await checkout(ada, 40);
  await checkout(bob, 50);
  await says(paid, 'PAID');
  await says(expired, 'EXPIRED');
  const ws = await listen(server, ada, { cursor: 'garbage' });
  assert.equal(ws.frames[0].type, 'resync');
  assert.deepEqual(ws.frames[0].snapshot.invoices, [shown(second), shown(first)]);
  await ws.close();
});

test('of very many the newest hundred', async () => {
  const ada = await register(server);
  await execute(server.database, `INSERT INTO payment_invoices
    (invoice_id, external_id, user_id, amount, description, provider)
    SELECT 'many-' || n, 'order-' || n, u.id, 100, 'x', 'sandbox' FROM generate_series(1, 250) AS n, users u
    WHERE u.email = '${ada.email}'`);
  const ws = await listen(server, ada, { cursor: 'garbage' });
  const { invoices } = ws.frames[0].snapshot;
  assert.deepEqual([invoices.length, invoices[0].invoiceId, invoices[99].invoiceId], [100, 'many-250', 'many-151']);
  await ws.close();
});

test('also when an inbox was missed for too long, before the newest of it', async () => {
  const ada = await settledCustomer(server, system);
  const before_ = await listen(server, ada);
  await before_.close();
  const invoice = await checkout(ada, 20);
  await manyEvents(ada);
  const ws = await comeBack(server, ada, before_.hello.cursor, 1000);
  assert.equal(ws.frames[0].type, 'resync');
  assert.ok(ws.frames[0].stream);
  assert.deepEqual(ws.frames[0].snapshot.invoices, [shown(invoice)]);
  assert.equal(eventsOf(ws).length, 1000);
  await ws.close();
});

test('what happens while it is read is told after it', async () => {
  const ada = await settledCustomer(server, system, { amount: 5 });
  const invoice = await checkout(ada, 20);
  const live = await listen(server, ada);
  const held = await holding(server.database, 'LOCK payment_invoices IN ACCESS EXCLUSIVE MODE');
  const ws = await socket(server, { token: ada.token, cursor: 'garbage' });
  await blocked(server.database, 'payment_invoices');
  await fund(system, ada.account, 1);
  await live.next('balance-updated');
  await held.end();
  await ws.next('hello');
  assert.deepEqual(ws.frames.map((frame) => frame.type), ['resync', 'balance-updated', 'hello']);
  assert.deepEqual(ws.frames[0].snapshot.invoices, [shown(invoice)]);
  await says(invoice, 'PAID');
  const { data } = await ws.next('payment-status');
  assert.deepEqual([data.invoiceId, data.previousStatus, data.status], [invoice.invoice_id, 'PENDING', 'PAID']);
  await Promise.all([live.close(), ws.close()]);
});

test('a client that leaves meanwhile, or comes again by the same socket, harms nobody', async () => {
  const ada = await settledCustomer(server, system);
  const held = await holding(server.database, 'LOCK payment_invoices IN ACCESS EXCLUSIVE MODE');
  const gone = await socket(server, { token: ada.token, cursor: 'garbage' });
  await blocked(server.database, 'payment_invoices');
  gone.terminate();
  const again = await socket(server, { token: ada.token, cursor: 'garbage' });
  again.send({ type: 'auth', token: ada.token, cursor: 'rubbish' });
  again.send({ type: 'ping' });
  await again.next('pong');
  await held.end();
  await again.next('hello');
  assert.deepEqual(again.frames.map((frame) => frame.type), ['pong', 'resync', 'hello']);
  await again.close();
});

test('when the tables cannot be read the socket is to come again later', async () => {
  const ada = await settledCustomer(server, system);
  const held = await holding(server.database, 'LOCK payment_invoices IN ACCESS EXCLUSIVE MODE');
  const ws = await socket(server, { token: ada.token, cursor: 'garbage' });
  await blocked(server.database, 'payment_invoices');
  await query(server.database, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`);
  assert.equal((await ws.closed()).code, 1013);
  await held.end();
});
