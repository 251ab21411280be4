// REW-21 in a real browser: a person looks at the page while somebody else's request causes an event, and sees it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from '../lib/browser.mjs';
import { api } from '../lib/client.mjs';
import { logIn, register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';

let server, browser, page, admin, person;

before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  const root = { email: 'root@example.com', password: 'a root of words' };
  await server.command('user', 'add', '--email', root.email, '--password', root.password, '--role', 'admin');
  admin = await logIn(server, root);
  person = await register(api(server), { name: 'Page Reader' });
  browser = await openBrowser();
  page = browser.page;
  await page.goto(`${server.url}/websocket-test.html`);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const door = (id) => page.locator(`#${id}`);
const entry = (name, doorName) => page.locator('#log li', { has: page.locator('.event', { hasText: name }) })
  .filter({ has: page.locator('.door', { hasText: doorName }) });

test('an own event comes by /ws, once the page has the token that signing in brings', async () => {
  await page.getByText('Get a token by signing in').click();
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('#sign-in-said', { hasText: 'done' }).waitFor();
  await door('native').getByRole('button', { name: 'Connect' }).click();
  await door('native').getByText(`connected as ${person.id}`).waitFor();

  const grant = { userId: person.id, amount: 77, reason: 'somebody else has done it' };
  assert.equal((await admin.api.post('/api/points/admin/add', { body: grant })).status, 200);
  const shown = entry('points-updated', '/ws');
  await shown.waitFor();
  const frame = JSON.parse(await shown.locator('pre').innerText());
  assert.equal(frame.data.delta, 77);
  assert.equal(frame.data.userId, person.id);
});

test('what was missed while away comes when one is back', async () => {
  await door('native').getByRole('button', { name: 'Disconnect' }).click();
  await door('native').getByText('not connected').waitFor();
  const grant = { userId: person.id, amount: 3, reason: 'while nobody looked' };
  assert.equal((await admin.api.post('/api/points/admin/add', { body: grant })).status, 200);
  await door('native').getByRole('button', { name: 'Connect' }).click();
  await entry('points-updated', '/ws').filter({ hasText: '"delta": 3,' }).waitFor();
  assert.equal(await entry('points-updated', '/ws').count(), 2);
});

test('all of it came from this server, and the console has no complaint', () => {
  const own = [`${server.url}/`, `${server.url.replace(/^http/, 'ws')}/`, 'data:', 'blob:'];
  assert.deepEqual(browser.asked.filter((url) => !own.some((start) => url.startsWith(start))), []);
  assert.deepEqual(browser.faults, []);
});
