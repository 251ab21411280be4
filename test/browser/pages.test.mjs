// What a person sees in a browser: the page behind the link of the welcome mail, and a page of our own origin that
// signs in by cookie and hears of its money over the WebSocket.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from '../lib/browser.mjs';
import { api } from '../lib/client.mjs';
import { mailTo } from '../lib/mails.mjs';
import { fund, register, systemUser } from '../lib/people.mjs';
import { freePort, startServer } from '../lib/server.mjs';
import { newcomer } from '../lib/userstate.mjs';
import { until } from '../lib/wait.mjs';

let server, system, browser, base;

before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  server = await startServer({ env: { TALLY_PORT: String(port), TALLY_PUBLIC_URL: base } });
  system = await systemUser(server);
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const linkIn = (mail) => /http:\/\/\S+/.exec(mail.text)[0];

test('the link of the welcome mail leads to a page whose button verifies the address, once', async () => {
  const { page, faults } = browser;
  const person = await register(api(server));
  const link = linkIn(await mailTo(server, person.email));
  assert.ok(link.startsWith(`${base}/verify-email?token=`), link);

  await page.goto(link);
  await page.getByRole('button').click();
  await page.getByText('Email verified').waitFor();

  await page.goto(link);
  await page.getByRole('button').click();
  await page.getByText('Verification link is invalid or expired').waitFor();
  // The browser itself notes the 401 of the second try; nothing else may be wrong (a blocked script, say).
  assert.deepEqual(faults.filter((text) => !text.includes('401')), []);
});

test('the link to a new password asks for one until it fits, and then no more', async () => {
  const { page } = browser;
  const { email } = await register(api(server));
  await api(server).post('/request-reset-pwd', { body: { email } });
  const link = linkIn(await mailTo(server, email, 2));
  assert.ok(link.startsWith(`${base}/reset-pwd?token=`), link);

  await page.goto(link);
  const password = page.getByLabel('New password');
  await password.evaluate((input) => input.removeAttribute('minlength'));
  await password.fill('short');
  await page.getByRole('button').click();
  await page.getByText('Validation failed. password').waitFor();
  await password.fill('battery staple');
  await page.getByRole('button').click();
  await page.getByText('Password updated').waitFor();
  assert.equal(await page.getByRole('button').isVisible(), false);
  const entered = await api(server).post('/api/auth/login', { body: { email, password: 'battery staple' } });
  assert.equal(entered.status, 200);
});

test('the link of a sign-up confirms it', async () => {
  const { page } = browser;
  const ada = newcomer();
  const asked = await api(server).post('/signup', { body: ada });
  assert.equal(asked.status, 201, asked.text);
  await page.goto(linkIn(await mailTo(server, ada.email)));
  await page.getByRole('button').click();
  await page.getByText('Account confirmed').waitFor();
  assert.equal((await api(server).post('/auth', { body: ada })).status, 200);
});

test('a page signed in by cookie hears over /ws what was moved', async () => {
  const { page } = browser;
  await page.goto(`${base}/verify-email?token=none`);
  const account = await page.evaluate(async () => {
    const post = async (path, body) => (await fetch(path, { method: 'POST',
      headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) })).json();
    await post('/api/auth/register', { name: 'Page Reader', email: 'page@example.com', password: 'a page of paper' });
    window.frames_ = [];
    const socket = new WebSocket(`ws://${location.host}/ws`);
    socket.onmessage = (event) => window.frames_.push(JSON.parse(event.data));
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
    return (await post('/api/accounts', {})).account._id;
  });
  await fund(system, account, 12.5);
  const event = await until(() => page.evaluate(() => window.frames_.find((f) => f.type === 'balance-updated')),
    'balance-updated in the page');
  assert.equal(event.data.account, account);
  assert.equal(event.data.balance, 12.5);
  assert.ok(!(await page.evaluate(() => document.cookie)).includes('token'), 'no script may read the token');
});
