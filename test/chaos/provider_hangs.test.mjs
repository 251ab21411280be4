// SIGTERM while the payment provider hangs: what waits for him ends, and so does the process, in order, with exit
// code 0. What was asked for before stays to be found: an unseen invoice, a payout that is asked for again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { audit, register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { startXendit, tell } from '../lib/xendit.mjs';

let xendit;
let server;
before(async () => {
  xendit = await startXendit();
  server = await startServer({ env: xendit.env });
});
after(async () => {
  await server.stop();
  await xendit.close();
});

test('checkouts, a payout and a synchronisation under way', { timeout: 150_000 }, async () => {
  const said = await server.command('apikey', 'add', '--holder', 'sync', '--scope', 'userstate');
  const key = said.trim().split(/\s+/).pop();
  const ada = await register(server);
  const order = { amount: 500, description: 'Top-up' };
  const { json: invoice } = await ada.api.post('/payment-checkout', { body: order });
  await tell(server, '/payment-callback', { id: invoice.invoice_id, status: 'PAID' });
  const { json: open } = await ada.api.post('/payment-checkout', { body: order });

  xendit.mood = 'hang';
  const quiet = (promise) => promise.catch(() => null);   // the connection ends with the process
  const asked = [quiet(ada.api.post('/payment-checkout', { body: order })),
    quiet(ada.api.post('/payout', { body: {
      amount: 100, bank_code: 'BCA', account_number: '1', account_holder_name: 'Ada' } })),
    quiet(api(server).get('/scheduler', { basic: `sync:${key}` }))];
  await until(() => xendit.provider.waiting >= 3, 'three calls to hang');
  await server.stop();
  await Promise.all(asked);

  const rows = await query(server.database, 'SELECT invoice_id, status FROM payment_invoices ORDER BY id');
  assert.deepEqual(rows, [{ invoice_id: invoice.invoice_id, status: 'PAID' },
    { invoice_id: open.invoice_id, status: 'PENDING' }, { invoice_id: null, status: 'PENDING' }]);
  const [payout] = await query(server.database, 'SELECT status, provider_id, reference_id FROM payouts');
  assert.deepEqual([payout.status, payout.provider_id], ['PENDING', null]);

  // The next process asks for the payout again, with the same key.
  xendit.mood = null;
  await execute(server.database, 'UPDATE payouts SET next_try_at = now()');
  await server.start();
  await until(() => xendit.payouts.get(payout.reference_id)?.times === 1, 'the payout', { timeout: 90_000 });
  assert.equal((await ada.api.get('/balance')).json.balance, 400);
  await audit(server);
});
