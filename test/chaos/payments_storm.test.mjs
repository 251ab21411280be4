// Ten thousand invoices and what a careless provider makes of them: callbacks doubled up to ten times, out of order,
// late, forged, cut off, while the server is killed in between. In the end every invoice and every wallet must be as
// an oracle has them that looks at nothing but which words were accepted.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { audit, register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const TOKEN = 'a callback token of the tests';
const INVOICES = Number(process.env.TALLY_STORM ?? 10_000);
const PEOPLE = 50;
const SEED = Number(process.env.TALLY_SEED ?? 20261125);
const WORDS = ['PAID', 'SETTLED', 'EXPIRED', 'FAILED', 'PENDING', 'PAID', 'EXPIRED'];

let server;
let state = SEED;
/** Mulberry32: the same storm for the same seed. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

before(async () => {
  server = await startServer({ env: { XENDIT_CALLBACK_TOKEN: TOKEN } });
});
after(async () => {
  await audit(server);
  await server.stop();
});

/** The rows that so many checkouts would have left; the checkouts themselves are not what this is about. */
async function makeInvoices(people) {
  const emails = people.map(({ email }) => `'${email}'`).join();
  await execute(server.database, `INSERT INTO payment_invoices
      (invoice_id, external_id, user_id, amount, description, provider)
    SELECT 'inv-' || n, 'ext-' || n, ids[1 + n % ${PEOPLE}], 100 + n, 'storm', 'sandbox'
    FROM generate_series(1, ${INVOICES}) AS n,
         (SELECT array_agg(id ORDER BY id) AS ids FROM users WHERE email IN (${emails})) AS u`);
  return query(server.database, `SELECT invoice_id, external_id, user_id, amount FROM payment_invoices ORDER BY id`);
}

/** Everything the provider will say, in the order in which it happens to arrive. */
function makeStorm(invoices) {
  const storm = [];
  for (const invoice of invoices) {
    for (let n = 1 + random(3); n > 0; n--) {
      const word = WORDS[random(WORDS.length)];
      for (let times = random(4) ? 1 : 2 + random(9); times > 0; times--) storm.push({ invoice, word, kind: 'good' });
    }
    if (random(4) === 0) storm.push({ invoice, word: 'PAID', kind: 'forged' });
    if (random(8) === 0) storm.push({ invoice, word: 'PAID', kind: 'cut' });
  }
  for (let i = storm.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [storm[i], storm[j]] = [storm[j], storm[i]];
  }
  return storm;
}

const bodyOf = ({ invoice, word }) => JSON.stringify({
  id: invoice.invoice_id, external_id: invoice.external_id, status: word, amount: invoice.amount / 100,
  paid_amount: invoice.amount / 100,
});

async function say(one) {
  const body = one.kind === 'cut' ? bodyOf(one).slice(0, -1 - (one.invoice.amount % 40)) : bodyOf(one);
  const token = one.kind === 'forged' ? 'a callback token of the test' : TOKEN;
  const reply = await api(server).post('/payment-callback', { body, headers: { 'x-callback-token': token } });
  return reply.status;
}

/** Like a provider: again and again until it is accepted or clearly refused. */
async function deliver(one, counts) {
  await until(async () => {
    const status = await say(one);
    if (status === 503) return false;
    counts[one.kind][status] = (counts[one.kind][status] ?? 0) + 1;
    one.status = status;
    return true;
  }, 'a callback to be answered', { timeout: 120_000, every: 50 });
}

test(`${INVOICES} invoices, seed ${SEED}`, { timeout: 580_000 }, async () => {
  const people = [];
  for (let n = 0; n < PEOPLE; n++) people.push(await register(server));
  const invoices = await makeInvoices(people);
  const storm = makeStorm(invoices);
  const counts = { good: {}, forged: {}, cut: {} };
  const kills = [0.3, 0.6, 0.85].map((share) => Math.floor(storm.length * share));

  let next = 0;
  let halt = null;
  const worker = async () => {
    for (;;) {
      if (halt) await halt;
      const at = next++;
      if (at >= storm.length) return;
      if (at === kills[0]) {
        kills.shift();
        // The others meet a dead server in the middle of their calls, and try again.
        halt = server.kill().then(() => server.start()).finally(() => { halt = null; });
      }
      await deliver(storm[at], counts);
    }
  };
  await Promise.all(Array.from({ length: 32 }, worker));
  assert.equal(kills.length, 0, 'killed three times');

  assert.deepEqual(Object.keys(counts.good), ['200'], JSON.stringify(counts));
  assert.deepEqual(Object.keys(counts.forged), ['401'], 'no forged one was accepted');
  assert.deepEqual(Object.keys(counts.cut), ['400']);

  // The oracle: PAID if ever said so, else one of the other final words that were said, else open.
  const said = new Map(invoices.map(({ invoice_id: id }) => [id, new Set()]));
  for (const one of storm) if (one.kind === 'good') said.get(one.invoice.invoice_id).add(one.word);
  const rows = await query(server.database,
    'SELECT invoice_id, user_id, amount, status, paid_amount FROM payment_invoices');
  const wallets = new Map();
  for (const { invoice_id: id, user_id: user, amount, status, paid_amount: paid } of rows) {
    const words = said.get(id);
    const pays = words.has('PAID') || words.has('SETTLED');
    const may = pays ? ['PAID'] : [...words].filter((word) => word !== 'PENDING');
    assert.ok(may.length ? may.includes(status) : status === 'PENDING', `${id}: ${status} after ${[...words]}`);
    assert.equal(paid, pays ? amount : null, id);
    if (pays) wallets.set(user, (wallets.get(user) ?? 0) + amount);
  }
  const balances = await query(server.database, `SELECT owner_user_id, balance, version FROM account
    WHERE kind = 'wallet' AND owner_user_id IN (SELECT user_id FROM payment_invoices)`);
  for (const { owner_user_id: user, balance } of balances) {
    assert.equal(balance, wallets.get(user) ?? 0, `the wallet of ${user}`);
  }

  // Each credit once, and every change told once.
  const [{ credits, payers, events, changes }] = await query(server.database, `SELECT
    (SELECT count(*) FROM transfer WHERE kind = 'payment.topup') AS credits,
    (SELECT count(*) FROM payment_invoices WHERE status = 'PAID') AS payers,
    (SELECT count(*) FROM inbox WHERE type = 'payment-status') AS events,
    (SELECT count(DISTINCT (data->>'invoiceId', data->>'status')) FROM inbox
     WHERE type = 'payment-status') AS changes`);
  assert.deepEqual([credits, events], [payers, changes]);
  console.log(`# ${storm.length} callbacks, ${credits} credits, ${JSON.stringify(counts)}`);
});
