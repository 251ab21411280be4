// Check-outs and callbacks that come at the same moment are written together. Each still gets its own answer, and one
// that the database refuses costs the others nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { agentFor, api } from '../lib/client.mjs';
import { audit, register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';

const TOKEN = 'a callback token of the tests';
const AT_ONCE = 60;

let server;
let people;
let agent;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1', XENDIT_CALLBACK_TOKEN: TOKEN } });
  await server.command('seed');
  agent = agentFor(server.url, { maxSockets: AT_ONCE });
  people = await Promise.all(Array.from({ length: 3 }, () => register(server)));
});
after(async () => {
  agent?.destroy();
  await audit(server);
  await server.stop();
});

const each = (what) => Promise.all(Array.from({ length: AT_ONCE }, (_, n) => what(n)));
const payer = (n) => people[n % people.length];
const checkout = (n, more = {}) => payer(n).api.post('/payment-checkout', {
  body: { amount: n + 1, description: `order ${n}`, ...more }, agent });
const callback = (body) => api(server).post('/payment-callback',
  { body, headers: { 'x-callback-token': TOKEN }, agent });
const wallets = () => query(server.database, `SELECT u.email, w.balance FROM account w
  JOIN users u ON u.id = w.owner_user_id WHERE w.kind = 'wallet'`);

describe('at the same moment', () => {
  let invoices;

  test('everybody gets the invoice that he asked for', async () => {
    const replies = await each((n) => checkout(n));
    invoices = replies.map(({ status, json, text }) => {
      assert.equal(status, 201, text);
      return json;
    });
    const rows = await query(server.database, 'SELECT username, email FROM users');
    const names = people.map(({ email }) => rows.find((row) => row.email === email).username);
    invoices.forEach(({ amount, description, username }, n) => {
      assert.deepEqual([amount, description, username], [n + 1, `order ${n}`, names[n % names.length]]);
    });
    assert.equal(new Set(invoices.map((invoice) => invoice.external_id)).size, AT_ONCE);
    const [{ commits }] = await query(server.database,
      'SELECT count(DISTINCT xmin::text) AS commits FROM payment_invoices');
    assert.ok(commits < AT_ONCE / 2, `${AT_ONCE} in ${commits} commits`);
  });

  test('a service gets those of whom there is somebody', async () => {
    const { username } = invoices[0];
    const replies = await each((n) => api(server).post('/sys/payment-checkout', {
      basic: 'demo:demo', body: { username: n % 3 ? username : 'nobody_of_that_name', amount: 1 }, agent }));
    replies.forEach(({ status, json }, n) => {
      if (n % 3) assert.deepEqual([status, json.username], [201, username]);
      else assert.deepEqual([status, json.message], [500, 'Account does not exist']);
    });
  });

  test('each callback finds its own invoice, or none', async () => {
    const says = (n) => ({ id: invoices[n].invoice_id, external_id: invoices[n].external_id, status: 'PAID' });
    const replies = await each((n) => callback(n % 2 ? says(n)
      : { id: invoices[n].invoice_id, external_id: invoices[(n + 1) % AT_ONCE].external_id, status: 'PAID' }));
    replies.forEach(({ status, json }, n) => {
      if (n % 2) assert.deepEqual([status, json.message], [200, 'Callback processed']);
      else assert.deepEqual([status, json.message], [404, 'Invoice Not Found'], 'ids of two invoices');
    });
    const due = new Map(people.map(({ email }) => [email, 0]));
    invoices.forEach(({ amount }, n) => {
      if (n % 2) due.set(payer(n).email, due.get(payer(n).email) + amount * 100);
    });
    for (const { email, balance } of await wallets()) assert.equal(balance, due.get(email) ?? 0, email);
    const kept = await query(server.database, "SELECT body FROM provider_logs WHERE subject = 'checkout'");
    assert.equal(kept.length, AT_ONCE, 'all of them were kept');
  });

  test('what the database refuses is refused to him alone', async () => {
    await execute(server.database, "ALTER TABLE payment_invoices ADD CONSTRAINT good CHECK (description <> 'poison')");
    const replies = await each((n) => checkout(n, n === 7 ? { description: 'poison' } : {}));
    assert.deepEqual(replies.map(({ status }) => status), replies.map((_, n) => (n === 7 ? 500 : 201)));
    replies.forEach(({ json }, n) => n === 7 || assert.equal(json.amount, n + 1));
  });
});
