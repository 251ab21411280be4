// REW-12 in a real browser: the page lists every surface that is built, signs in by what it shows, and executes a call
// as its bearer.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openBrowser } from '../lib/browser.mjs';
import { api } from '../lib/client.mjs';
import { root } from '../lib/paths.mjs';
import { register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';

let server, browser, page, person;

before(async () => {
  server = await startServer();
  person = await register(api(server), { name: 'Page Reader' });
  browser = await openBrowser();
  page = browser.page;
  await page.goto(`${server.url}/api`);
  await page.locator('.opblock-tag').first().waitFor();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const group = (name) => page.locator(`.opblock-tag[data-tag="${name}"]`);

/** Opens an operation of a group that is open. */
async function open(tag, id) {
  const block = page.locator(`#operations-${tag}-${id}`);
  await block.locator('.opblock-summary-control').click();
  await block.getByRole('button', { name: 'Execute' }).waitFor();
  return block;
}

/** Runs it and returns what the page shows of the answer. */
async function execute(block) {
  await block.getByRole('button', { name: 'Execute' }).click();
  const live = block.locator('.live-responses-table');
  await live.locator('.response-col_status').first().waitFor();
  return { status: await live.locator('.response .response-col_status').first().innerText(),
    json: JSON.parse(await live.locator('.response .highlight-code code').first().innerText()) };
}

test('every surface that is built is a group, and every endpoint stands in its own', async () => {
  const { json } = await api(server).get('/api-json');
  const shown = await page.locator('.opblock-tag').evaluateAll((tags) => tags.map((tag) => tag.dataset.tag));
  assert.deepEqual(shown, json.tags.map(({ name }) => name));

  const lists = path.join(root, 'test/api/surfaces');
  const names = { bank: 'bank', points: 'points', userstate: 'userstate', rewards: 'rewards', docs: 'rewards',
    fintech: 'fintech', pos: 'pos' };
  for (const list of readdirSync(lists)) {
    const { built } = await import(path.join(lists, list));
    const [surface] = list.split(/[._]/);
    if (built.some(({ hidden }) => !hidden)) assert.ok(shown.includes(names[surface]), `${list} has a group`);
  }
  for (const name of shown) {
    await group(name).click();
    const operations = Object.values(json.paths).flatMap((methods) => Object.values(methods))
      .filter(({ tags }) => tags.includes(name));
    await page.locator(`[id^="operations-${name}-"]`).first().waitFor();
    assert.equal(await page.locator(`[id^="operations-${name}-"]`).count(), operations.length, name);
  }
});

test('a log-in is executed, its token authorises, and a call with it tells who that is', async () => {
  const login = await open('bank', 'BANK-02');
  const body = JSON.stringify({ email: person.email, password: person.password });
  await login.locator('textarea.body-param__text').fill(body);
  const answer = await execute(login);
  assert.equal(answer.status, '200', JSON.stringify(answer.json));

  await page.getByRole('button', { name: 'Authorize', exact: true }).first().click();
  const dialog = page.locator('.modal-ux');
  await dialog.locator('.auth-container', { hasText: 'bearer' }).locator('input').first().fill(answer.json.token);
  await dialog.getByRole('button', { name: 'Apply credentials' }).first().click();
  await dialog.getByRole('button', { name: 'Close', exact: true }).first().click();

  // The log-in has set the cookie, too; what is to be seen here is the header.
  await page.context().clearCookies();
  const sent = page.waitForRequest((request) => request.url() === `${server.url}/api/auth/me`);
  const me = await execute(await open('bank', 'BANK-21'));
  assert.equal((await sent).headers().authorization, `Bearer ${answer.json.token}`);
  assert.equal(me.status, '200');
  assert.equal(me.json.user.email, person.email);
});

test('all of it came from this server, and the console has no complaint', () => {
  const elsewhere = browser.asked.filter((url) => !url.startsWith(`${server.url}/`) && !url.startsWith('data:'));
  assert.deepEqual(elsewhere, []);
  assert.ok(browser.asked.length > 5);
  assert.deepEqual(browser.faults, []);
});
