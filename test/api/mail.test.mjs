// The queue of mails: retried after 30 s, 2 min and 10 min, then given up; another server sends what one left.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mailTo, mailsTo } from '../lib/mails.mjs';
import { register } from '../lib/people.mjs';
import { execute, freshDatabase, query } from '../lib/pg.mjs';
import { freePort, startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const put = (database, address, more = '') => execute(database,
  `INSERT INTO mail_outbox (to_address, subject, body${more && ', attempts'})
   VALUES ('${address}', 'Hello', 'text of a mail'${more})`);
const row = async (database, address) => (await query(database,
  `SELECT status, attempts, body, extract(epoch FROM next_try_at - now())::int AS due_in
   FROM mail_outbox WHERE to_address = '${address}'`))[0];

describe('a mail server that is away', () => {
  let server;
  before(async () => {
    const env = { TALLY_SMTP_HOST: '127.0.0.1', TALLY_SMTP_PORT: String(await freePort()) };
    server = await startServer({ env: { ...env, TALLY_MAIL_FROM: 'tally@example.com' } });
  });
  after(() => server.stop());

  test('costs nobody an answer; the mail is due again in half a minute', async () => {
    const { email } = await register(server, { email: 'ann@example.com' });
    const waiting = await until(async () => {
      const now = await row(server.database, email);
      return now.attempts === 1 && now.due_in <= 30 && now;
    }, 'the first failure to be written down');
    assert.equal(waiting.status, 'waiting');
    assert.ok(waiting.due_in > 20, `due in ${waiting.due_in} s`);
    assert.match(waiting.body, /verify-email\?token=/);
  });

  for (const [failed, wait] of [[1, 120], [2, 600]]) {
    test(`after failure ${failed + 1} it waits ${wait} s`, async () => {
      const address = `n${failed}@example.com`;
      await put(server.database, address, `, ${failed}`);
      const { email } = await register(server, {});   // wakes the queue
      await until(async () => (await row(server.database, email)).attempts === 1, 'the queue to have looked');
      const now = await until(async () => {
        const seen = await row(server.database, address);
        return seen.attempts === failed + 1 && (wait === 120 || seen.due_in > 130) && seen;
      }, 'the failure to be written down');
      assert.equal(now.status, 'waiting');
      assert.ok(now.due_in > wait - 30 && now.due_in <= wait, `due in ${now.due_in} s`);
    });
  }

  test('after the fourth failure it is given up, and the log says which without saying whose', async () => {
    await put(server.database, 'last@example.com', ', 3');
    await register(server, {});
    await until(async () => (await row(server.database, 'last@example.com')).status === 'given_up', 'the end');
    const line = await server.logged('mail', 'given_up');
    assert.ok(Number(line.mail) > 0);
    assert.ok(!JSON.stringify(server.logs).includes('last@example.com'));
  });
});

describe('several servers on one database', () => {
  test('each mail is sent once, whoever sends it', async () => {
    const database = await freshDatabase();
    const servers = await Promise.all([startServer({ database }), startServer({ database })]);
    const people = await Promise.all(Array.from({ length: 30 }, (_, i) =>
      register(servers[i % 2], { email: `p${i}@example.com` })));
    for (const { email } of people) await mailTo(servers, email);
    for (const { email } of people) assert.equal((await mailsTo(servers, email)).length, 1, email);
    await Promise.all(servers.map((s) => s.stop()));
  });

  test('what a stopped one left is sent by the next', async () => {
    const database = await freshDatabase();
    await put(database, 'left@example.com');
    await execute(database, `INSERT INTO mail_outbox (to_address, subject, body) VALUES ('no address', 'Hello', 'x')`);
    const server = await startServer({ database });
    assert.equal((await mailTo(server, 'left@example.com')).subject, 'Hello');
    const stateOf = async (address) => (await row(database, address)).status;
    await until(async () => (await stateOf('no address')) === 'given_up', 'what is no address to be given up');
    await until(async () => (await stateOf('left@example.com')) === 'sent', 'the mail to be settled');
    await server.stop();
  });
});
