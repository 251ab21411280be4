// Transfer alerts by mail (BANK-06, BANK-07): the first at once, what follows within a minute in one
// mail, and nothing forgotten, whoever dies.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mailsTo, mailTo } from '../lib/mails.mjs';
import { audit, balanceOf, customer, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { freshDatabase, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { never, until } from '../lib/wait.mjs';

const alertsTo = async (servers, address) => (await mailsTo(servers, address)).filter((m) => m.subject !== 'Welcome');
const alertTo = (servers, address, n = 1) =>
  until(async () => (await alertsTo(servers, address))[n - 1], `alert ${n} to ${address}`);
const leads = (server) => server.logged('alerts', 'leading');

/** Of how many transfers these mails tell together. */
const told = (mails) => mails.reduce((sum, m) => sum + Number(/^(\d+) transfers$/.exec(m.subject)?.[1] ?? 1), 0);

async function owed(database) {
  return query(database, `SELECT a.id, a.version - a.alerted AS n FROM account a JOIN users u ON u.id = a.owner_user_id
    WHERE a.kind = 'bank' AND a.alerted < a.version AND u.email IS NOT NULL`);
}

async function payMany(from, to, n) {
  const replies = await Promise.all(Array.from({ length: n }, () => transfer(from, from.account, to.account, 1)));
  for (const reply of replies) assert.equal(reply.status, 200, reply.text);
}

describe('alerts of one server', () => {
  let server, system, ann, ben;
  before(async () => {
    server = await startServer();
    await leads(server);
    system = await systemUser(server);
    ann = await register(server, { name: 'Ann', email: 'ann@example.com' });
    ann.account = await openAccount(ann);
    ben = await register(server, { name: 'Ben', email: 'ben@example.com' });
    ben.account = await openAccount(ben);
  });
  after(() => server.stop());

  test('the first transfer is told at once, to the receiver', async () => {
    await fund(system, ann.account, 1000);
    const mail = await alertTo(server, ann.email);
    assert.equal(mail.subject, 'You received 1000 USD');
    const said = `You received 1000 USD on account ${ann.account._id}. Balance: 1000 USD.`;
    assert.ok(mail.text.includes('Hello Ann,') && mail.text.includes(said), mail.text);
  });

  test('and the first of somebody else, too, while hers wait for the minute to pass', async () => {
    await payMany(ann, ben, 40);
    const mail = await alertTo(server, ben.email);
    assert.match(mail.subject, /^You received 1 USD$|^\d+ transfers$/);
    await never(async () => (await alertsTo(server, ann.email)).length > 1, 'a second mail within the minute', 1500);
  });

  test('what waits is written when the server stops, as one mail that adds up', async () => {
    const first = await alertsTo(server, ben.email);
    assert.equal(first.length, 1);
    await server.restart();
    const summary = await alertTo(server, ann.email, 2);
    assert.equal(summary.subject, '40 transfers');
    const said = `Account ${ann.account._id}: 40 transfers, in 0 USD, out 40 USD. Balance: 960 USD.`;
    assert.ok(summary.text.includes(said), summary.text);
    assert.deepEqual(await owed(server.database), []);
    assert.equal((await alertsTo(server, ann.email)).length, 2);
  });

  test('people without an address cost nothing and hold up nobody', async () => {
    await query(server.database, `UPDATE users SET email = NULL WHERE email = '${ben.email}' RETURNING id`);
    await server.restart();
    await leads(server);
    const another = await systemUser(server, { email: 'system2@example.com' });
    const cleo = await customer(server, another, { email: 'cleo@example.com' });
    await alertTo(server, cleo.email);
    assert.deepEqual(await owed(server.database), []);
  });
});

describe('alerts of a leader that loses its session', () => {
  test('are told once all the same', async () => {
    const server = await startServer();
    await leads(server);
    const system = await systemUser(server);
    const ann = await customer(server, system, { email: 'ann@example.com', name: 'Ann' });
    const ben = await register(server, { email: 'ben@example.com', name: 'Ben' });
    ben.account = await openAccount(ben);
    for (let round = 0; round < 4; round++) {
      await payMany(ann, ben, 10);
      const seen = server.logs.length;
      const [{ n }] = await query(server.database, `SELECT count(*) AS n FROM (
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'alerts' OFFSET 0) t`);
      assert.equal(n, 1);
      await payMany(ann, ben, 10);
      await server.logged('alerts', 'leading', { from: seen });
    }
    await until(async () => (await owed(server.database)).length === 0, 'everybody to have been told');
    await until(async () => told(await alertsTo(server, ben.email)) === 80, 'Ben to be told of each transfer once');
    await until(async () => told(await alertsTo(server, ann.email)) === 81, 'Ann to be told of each transfer once');
    await server.stop();
  });
});

describe('alerts of several servers on one database', () => {
  test('one leads; when it is killed, another tells what is owed', async () => {
    const database = await freshDatabase();
    const first = await startServer({ database });
    await leads(first);
    const second = await startServer({ database });
    const both = [first, second];
    const system = await systemUser(second);
    const ann = await customer(second, system, { email: 'ann@example.com', name: 'Ann' });
    const ben = await register(second, { email: 'ben@example.com', name: 'Ben' });
    ben.account = await openAccount(ben);
    await alertTo(both, ann.email);
    assert.ok(!second.logs.some((line) => line.area === 'alerts' && line.event === 'leading'));

    await payMany(ann, ben, 1);
    await alertTo(both, ben.email);
    await payMany(ann, ben, 25);   // both are hushed now: these wait in the leader's memory
    await first.kill();
    await payMany(ann, ben, 5);
    await leads(second);
    // When the second leads before the last five are paid, these wait for the end of their minute.
    const patience = { timeout: 75_000 };
    await until(async () => (await owed(database)).length === 0, 'everybody to have been told', patience);
    await alertTo(both, ben.email, 2);

    await until(async () => told(await alertsTo(both, ben.email)) === 31, 'Ben to be told of each once', patience);
    await until(async () => told(await alertsTo(both, ann.email)) === 32, 'Ann to be told of each once', patience);
    assert.equal(await balanceOf(ben, ben.account), 31);
    await second.stop();
    await first.start();
    await audit(first);
    await first.stop();
  });
});
