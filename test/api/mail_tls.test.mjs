// Mails, and calls to providers, over TLS: who is trusted, what is refused and how the log says so; a password is never
// told in the clear, nor to somebody else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { Server, startServer } from '../lib/server.mjs';
import { startSmtp } from '../lib/smtp.mjs';
import { selfSigned } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';
import { SECRET_KEY, startXendit } from '../lib/xendit.mjs';

const PASSWORD = 'pass-word-of-the-mail-server';
const PROOF = Buffer.from(`\0mailer@example.com\0${PASSWORD}`).toString('base64');
let ours;       // a certificate for 127.0.0.1 that the server is told to trust
let elsewhere;  // one for another address that it is told to trust as well
let stranger;   // one for 127.0.0.1 that nobody vouches for
let trusted;    // the file with those it is told of

before(async () => {
  [ours, elsewhere, stranger] = await Promise.all(
    [{}, { address: '127.0.0.9' }, {}].map((options) => selfSigned(options)));
  trusted = path.join(path.dirname(ours.cert), 'trusted.pem');
  writeFileSync(trusted, [ours, elsewhere].map(({ pem }) => pem).join(''));
});

/** A server that sends by this mail server, to which it logs in. */
const serverFor = (smtp, env = {}) => startServer({ env: { TALLY_SMTP_HOST: '127.0.0.1',
  TALLY_SMTP_PORT: String(smtp.port), TALLY_SMTP_USER: 'mailer@example.com', TALLY_SMTP_PASSWORD: PASSWORD,
  TALLY_CA_FILE: trusted, ...env } });

const saidNowhere = (server) => {
  const all = JSON.stringify(server.logs) + server.output;
  for (const secret of [PASSWORD, PROOF]) assert.ok(!all.includes(secret), 'the password is in the log');
};

for (const [how, mode, secure] of [['TLS from the start', 'first', 'true'], ['STARTTLS', 'starttls', 'auto']]) {
  describe(how, () => {
    let smtp;
    let server;
    before(async () => {
      smtp = await startSmtp({ tls: mode, certificate: ours });
      server = await serverFor(smtp, { SMTP_SECURE: secure });
    });
    after(async () => { await server.stop(); await smtp.close(); });

    test('carries the mail and the password, and nothing of them goes in the clear', async () => {
      await register(server, { email: 'ann@example.com' });
      const mail = await until(() => smtp.mails[0], 'the mail');
      assert.equal(mail.to, 'ann@example.com');
      assert.ok(smtp.secret.includes(PROOF));
      assert.equal(smtp.clear.replace(/EHLO \S+\r\n/, ''), mode === 'first' ? '' : 'STARTTLS\r\n');
      const settled = () => query(server.database, 'SELECT status FROM mail_outbox');
      await until(async () => (await settled())[0].status === 'sent', 'the mail to be settled');
      saidNowhere(server);
    });

    test('carries a mail of many pieces whole', async () => {
      await execute(server.database, `INSERT INTO mail_outbox (to_address, subject, body)
        VALUES ('big@example.com', 'Much', repeat('.a line of which there are many' || chr(10), 20000))`);
      await register(server);      // wakes the queue
      const mail = await until(() => smtp.mails.find(({ to }) => to === 'big@example.com'), 'the mail');
      assert.equal(mail.text.split('\n').filter((line) => line === '.a line of which there are many').length, 20000);
    });
  });
}

/** The one try of a mail that cannot be sent; asserts that it is kept for another one. */
async function triedOnce(server) {
  await register(server, { email: 'ann@example.com' });
  const line = await server.logged('mail', 'not_sent');
  const kept = await until(async () => {
    const [row] = await query(server.database, 'SELECT status, attempts FROM mail_outbox');
    return row.attempts === 1 && row;
  }, 'the failure to be written down');
  assert.equal(kept.status, 'waiting');
  assert.equal(line.step, 'connect');
  saidNowhere(server);
  return line.why;
}

describe('a mail server that is not the one it should be', () => {
  for (const [how, mode, secure] of [
    ['with TLS from the start', 'first', 'true'],
    ['with STARTTLS', 'starttls', 'false'],
  ]) {
    for (const [what, certificate, why] of [
      ['whose certificate is for another address', () => elsewhere, /does not match|no alternative certificate/],
      ['whose certificate nobody vouches for', () => stranger, /certificate problem: self.signed certificate/],
    ]) {
      test(`${what}, ${how}, gets neither mail nor password; the log says why, and the mail waits`, async () => {
        const smtp = await startSmtp({ tls: mode, certificate: certificate() });
        const server = await serverFor(smtp, { SMTP_SECURE: secure });
        assert.match(await triedOnce(server), why);
        assert.equal(smtp.secret, '');
        assert.ok(!smtp.clear.includes('AUTH') && !smtp.clear.includes('MAIL'), smtp.clear);
        await server.stop();
        await smtp.close();
      });
    }
  }

  test('who is trusted by nothing but the file is refused without it', async () => {
    const smtp = await startSmtp({ tls: 'first', certificate: ours });
    const server = await serverFor(smtp, { SMTP_SECURE: 'true', TALLY_CA_FILE: '' });
    assert.match(await triedOnce(server), /certificate problem/);
    await server.stop();
    await smtp.close();
  });
});

describe('a mail server that offers no TLS', () => {
  for (const [what, deaf] of [['', false], [', also when it then falls silent', true]]) {
    test(`is not told the password${what}`, async () => {
      const smtp = await startSmtp({ tls: 'none', deaf });
      const server = await serverFor(smtp);
      assert.match(await triedOnce(server), /STARTTLS/);
      assert.ok(!smtp.clear.includes('AUTH') && !smtp.clear.includes('MAIL'), smtp.clear);
      await server.stop();
      await smtp.close();
    });
  }

  test('gets the mail when there is no password to lose', async () => {
    const smtp = await startSmtp({ tls: 'none' });
    const server = await serverFor(smtp, { TALLY_SMTP_USER: '', TALLY_SMTP_PASSWORD: '',
      TALLY_MAIL_FROM: 'tally@example.com' });
    await register(server, { email: 'ann@example.com' });
    assert.equal((await until(() => smtp.mails[0], 'the mail')).to, 'ann@example.com');
    await server.stop();
    await smtp.close();
  });
});

test('a log-in that is refused is for the operator to mend: the mail waits', async () => {
  const smtp = await startSmtp({ tls: 'starttls', certificate: ours, login: '535 not you', deaf: true });
  const server = await serverFor(smtp);
  assert.match(await triedOnce(server), /denied/i);
  assert.ok(smtp.secret.includes(PROOF) && !smtp.secret.includes('MAIL'));
  await server.stop();
  await smtp.close();
});

describe('a provider over TLS', () => {
  const order = { amount: 500, description: 'Top-up', payment_method: 'EWALLET', ewallet_type: 'OVO' };

  test('is spoken to when the file vouches for it', async () => {
    const xendit = await startXendit({ certificate: ours });
    const server = await startServer({ env: { ...xendit.env, TALLY_CA_FILE: trusted } });
    const ada = await register(server);
    assert.equal((await ada.api.post('/payment-checkout', { body: order })).status, 201);
    assert.equal(xendit.invoices.size, 1);
    await server.stop();
    await xendit.close();
  });

  for (const [what, certificate] of [
    ['for another address', () => elsewhere],
    ['that nobody vouches for', () => stranger],
  ]) {
    test(`is told nothing when its certificate is one ${what}; the log says why`, async () => {
      const xendit = await startXendit({ certificate: certificate() });
      const server = await startServer({ env: { ...xendit.env, TALLY_CA_FILE: trusted } });
      const ada = await register(server);
      assert.equal((await ada.api.post('/payment-checkout', { body: order })).status, 502);
      const line = await server.logged('outbound', 'tls_failed');
      assert.equal(line.host, xendit.provider.url);
      assert.match(line.why, /certificate/);
      assert.deepEqual(xendit.provider.calls, []);
      assert.ok(!JSON.stringify(server.logs).includes(SECRET_KEY));
      await server.stop();
      await xendit.close();
    });
  }
});

describe('a wrong setting is refused at the start, by name:', () => {
  for (const [what, env, said] of [
    ['a file that is not there', () => ({ TALLY_CA_FILE: '/nonexistent' }), /TALLY_CA_FILE: cannot be read/],
    ['a file without a certificate', () => ({ TALLY_CA_FILE: ours.key }), /TALLY_CA_FILE: .*no certificate/],
    ['a word that is none', () => ({ SMTP_SECURE: 'maybe' }), /SMTP_SECURE: .* one of auto true false/],
  ]) {
    test(what, async () => {
      const server = new Server({ database: 'postgres:///', env: env() });
      server.expectDeath = true;
      await assert.rejects(server.start());
      assert.equal(server.result.code, 2);
      assert.match(server.output, said);
    });
  }
});
