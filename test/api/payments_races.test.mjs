// An invoice whose time runs out in the very moment in which it is paid, told by callbacks at two processes and by the
// synchronisation: the money is there, once. And of two processes one synchronises, whichever, also when one dies.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { root } from '../lib/paths.mjs';
import { audit, register } from '../lib/people.mjs';
import { openInvoices } from '../lib/payments.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { startXendit, tell } from '../lib/xendit.mjs';

const INVOICES = 40;

let xendit;
let server;
let other;
let key;
before(async () => {
  xendit = await startXendit();
  server = await startServer({ env: xendit.env });
  other = await startServer({ database: server.database, env: xendit.env });
  key = `sync:${(await server.command('apikey', 'add', '--holder', 'sync', '--scope', 'userstate')).trim()
    .split(/\s+/).pop()}`;
});
after(async () => {
  await audit(server);
  await Promise.all([server.stop(), other.stop()]);
  await xendit.close();
});

const synchronise = (on) => api(on).get('/scheduler', { basic: key, timeout: 60_000 });
const leaseIsOver = () => execute(server.database, "UPDATE jobs SET leased_till = now() WHERE name = 'payment-sync'");

/** Open ones of the person's; the provider knows them as expired. */
async function makeInvoices(who, name) {
  await openInvoices(server, who, name, INVOICES, 'now()');
  const ids = Array.from({ length: INVOICES }, (_, n) => `${name}-${n + 1}`);
  for (const id of ids) xendit.invoices.set(id, { id, external_id: id, status: 'EXPIRED', amount: 1 });
  return ids;
}

const statuses = (name) => query(server.database, `SELECT status, count(*) FROM payment_invoices
  WHERE invoice_id LIKE '${name}-%' GROUP BY status`);

test('an invoice that expires while it is paid is paid', async () => {
  const ada = await register(server);
  const ids = await makeInvoices(ada, 'race');
  const says = (id, status, n) => tell(n % 2 ? server : other, '/payment-callback',
    { id, external_id: id, status, amount: 1, paid_amount: 1 });
  const replies = await Promise.all([synchronise(server), ...ids.flatMap((id, n) => {
    const words = n % 3 ? ['PAID', 'EXPIRED', 'SETTLED'] : ['EXPIRED', 'PAID', 'EXPIRED'];
    return words.map((word, i) => says(id, word, n + i));
  })]);
  for (const reply of replies) assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(await statuses('race'), [{ status: 'PAID', count: INVOICES }]);
  assert.equal((await ada.api.get('/balance')).json.balance, INVOICES);
  const told = await query(server.database, `SELECT data->>'invoiceId' AS id,
    array_agg(data->>'previousStatus' || ' ' || (data->>'status') ORDER BY seq) AS changes
    FROM inbox JOIN users u ON u.id = user_id WHERE type = 'payment-status' AND u.email = '${ada.email}' GROUP BY 1`);
  assert.equal(told.length, INVOICES);
  for (const { id, changes } of told) {
    const may = ['PENDING PAID', 'PENDING EXPIRED,EXPIRED PAID'];
    assert.ok(may.includes(changes.join()), `${id}: ${changes}`);
  }
});

test('for one regular time one process gets to synchronise, and who dies of it has not done it', async () => {
  const time = String(Math.floor(Date.now() / 1000) + 60);
  const run = (file, who) => execute(server.database, readFileSync(path.join(root, 'domain/payments', file), 'utf8')
    .replace(/--.*/g, '').replaceAll('$1', `'${who}'`).replaceAll('$2', time));
  const OURS = 't|f';
  const BUSY = 'f|f';
  const DONE = 'f|t';
  const claim = async (who) => (await run('sync_claim.sql', who)).trim();
  await leaseIsOver();
  const got = await Promise.all(Array.from({ length: 8 }, (_, n) => claim(`process ${n}`)));
  assert.deepEqual(got.sort(), [...Array(7).fill(BUSY), OURS]);
  await leaseIsOver();
  assert.equal(await claim('the heir'), OURS, 'nobody has released it');
  await run('sync_release.sql', 'the heir');
  assert.equal(await claim('late'), DONE);
});

test('a process that dies of it leaves the rest to the other, as soon as its lease is over', async () => {
  const ada = await register(server);
  await makeInvoices(ada, 'left');
  xendit.mood = 'hang';
  const asked = xendit.provider.calls.length;
  const lost = synchronise(other).then((reply) => reply.status, () => 'no answer');
  await until(() => xendit.provider.calls.length > asked, 'the provider to be asked');
  await other.kill();
  assert.equal(await lost, 'no answer');
  xendit.mood = null;
  const early = await synchronise(server);
  assert.equal(early.status, 409, early.text);
  await leaseIsOver();
  const reply = await synchronise(server);
  assert.deepEqual([reply.status, reply.json.data.updated], [200, INVOICES], reply.text);
  assert.deepEqual(await statuses('left'), [{ status: 'EXPIRED', count: INVOICES }]);
  await other.start();
});
