// Mails and their server, which takes them, refuses them, hangs, talks nonsense or says a byte now and then: what may
// work later is tried again, what is refused for good is given up, and nobody waits for any of it.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { execute, query } from '../lib/pg.mjs';
import { stallsWhile } from '../lib/provider.mjs';
import { register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { startSmtp } from '../lib/smtp.mjs';
import { until } from '../lib/wait.mjs';

let server;
let smtp;
before(async () => {
  smtp = await startSmtp();
  const env = { TALLY_SMTP_HOST: '127.0.0.1', TALLY_SMTP_PORT: String(smtp.port), TALLY_MAIL_FROM: 'shop@example.com' };
  server = await startServer({ env });
});
after(async () => {
  await server?.stop();
  await smtp?.close();
});
afterEach(() => { smtp.mood = null; });

const row = async (email) => (await query(server.database, `SELECT status, attempts,
  extract(epoch FROM next_try_at - now())::int AS due_in FROM mail_outbox WHERE to_address = '${email}'`))[0];
const isDueAgain = (email, timeout = 10_000) => until(async () => {
  const { status, attempts, due_in: seconds } = await row(email);
  return status === 'waiting' && attempts === 1 && seconds > 10 && seconds <= 30;
}, `the mail to ${email} to be due in half a minute`, { timeout });

/** Whoever registers is answered, and gets a mail when the server is itself again. */
async function comesLater(email) {
  smtp.mood = null;
  await execute(server.database, `UPDATE mail_outbox SET next_try_at = now() WHERE status = 'waiting'`);
  await register(server);   // wakes the queue
  await until(() => smtp.mails.some(({ to }) => to === email), `the mail to ${email}`);
  await until(async () => (await row(email)).status === 'sent', 'that to be noted');
  assert.equal(smtp.mails.filter(({ to }) => to === email).length, 1, 'once');
}

test('a mail is taken as it was written', async () => {
  const { email } = await register(server);
  const mail = await until(() => smtp.mails.find(({ to }) => to === email), 'the mail');
  assert.equal(mail.from, 'shop@example.com');
  assert.match(mail.text, /^From: .*shop@example\.com/m);
  assert.match(mail.text, /^Message-ID: </m);
  assert.match(mail.text.replaceAll('=\n', ''), /verify-email\?token=/);
  await until(async () => (await row(email)).status === 'sent', 'that to be noted');
});

describe('a mail that is not taken now comes later, from a server that', () => {
  for (const mood of ['cut', 'garbage', { greeting: '554 not now' }, { ehlo: '421 going away' }, { mail: 'what?' },
    { rcpt: '451 try later' }, { data: '451 try later' }, { end: '452 disk full' }]) {
    test(JSON.stringify(mood), async () => {
      smtp.mood = mood;
      const { email } = await register(server);
      await isDueAgain(email);
      await comesLater(email);
    });
  }

  for (const mood of ['hang', 'slow']) {
    test(`${mood}s, which holds up nobody`, async () => {
      smtp.mood = mood;
      const { email } = await register(server);
      await until(() => smtp.waiting > 0, 'the session');
      assert.equal(await stallsWhile(server, 50), 0);
      assert.ok(smtp.waiting > 0, 'it hangs still');
      await isDueAgain(email, 30_000);
      await comesLater(email);
    });
  }
});

describe('a mail that is refused for good is given up at once', () => {
  for (const mood of [{ rcpt: '550 no such user' }, { mail: '553 not as this sender' }, { end: '554 no' }]) {
    test(JSON.stringify(mood), async () => {
      smtp.mood = mood;
      const { email } = await register(server);
      await until(async () => (await row(email)).status === 'given_up', 'the end');
      assert.equal((await row(email)).attempts, 1);
    });
  }

  test('and the log says so without the address', async () => {
    const line = await server.logged('mail', 'given_up');
    assert.ok(Number(line.mail) > 0);
    const said = JSON.stringify(server.logs);
    for (const { to_address: address } of await query(server.database, 'SELECT to_address FROM mail_outbox'))
      assert.ok(!said.includes(address));
  });
});
