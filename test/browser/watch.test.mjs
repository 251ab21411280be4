// REW-21 in a real browser: a person looks at the page while somebody else's request causes an event, and sees it, by
// Socket.IO as by /ws.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openBrowser } from '../lib/browser.mjs';
import { api } from '../lib/client.mjs';
import { logIn, register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';

const root = { email: 'root@example.com', password: 'a root of words' };
let server, browser, page, admin, person;

before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  await server.command('user', 'add', '--email', root.email, '--password', root.password, '--role', 'admin');
  admin = await logIn(server, root);
  person = await register(api(server), { name: 'Page Reader' });
  for (const id of ['user123', 'user456']) {
    const body = { id, name: id, email: `${id}@example.com` };
    assert.equal((await api(server).post('/rewards/create-user', { body })).status, 201);
  }
  browser = await openBrowser();
  page = browser.page;
  await page.goto(`${server.url}/websocket-test.html`);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const SOCKETIO = 'Socket.IO /rewards';
const door = (id) => page.locator(`#${id}`);
const entry = (name, doorName) => page.locator('#log li', { has: page.locator('.event', { hasText: name }) })
  .filter({ has: page.locator('.door', { hasText: doorName }) });
const shown = async (found) => JSON.parse(await found.locator('pre').first().innerText());

/** What the page shows as a line for a terminal, done: `curl ADDRESS -H '…' -d 'BODY'`. */
async function curl(points) {
  const [, address, body] = /^curl (\S+) -H '[^']+' -d '(.+)'$/.exec(await page.locator('#curl').innerText());
  const reply = await fetch(address, { method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ ...JSON.parse(body), points }) });
  assert.equal(reply.status, 201);
}

describe('without a token, the doors being open', () => {
  test('an event of a member comes by Socket.IO, caused from a terminal', async () => {
    await door('socketio').getByText('connected', { exact: true }).waitFor();
    await curl(123);
    await entry('pointsUpdated', SOCKETIO).waitFor();
    const event = await shown(entry('pointsUpdated', SOCKETIO));
    assert.equal(event.userId, 'user123');
    assert.equal(event.pointsAdded, 123);
  });

  test('and by the buttons of the page', async () => {
    await page.getByLabel('Points', { exact: true }).fill('100');
    await page.getByRole('button', { name: 'Redeem for a voucher' }).click();
    await entry('rewardRedeemed', SOCKETIO).waitFor();
    const event = await shown(entry('rewardRedeemed', SOCKETIO));
    assert.equal(event.pointsRedeemed, 100);
    assert.equal(event.remainingPoints, 23);
    await page.getByText('2 events').waitFor();
  });

  test('of one member only, when the page is asked to', async () => {
    await door('socketio').getByRole('button', { name: 'Disconnect' }).click();
    await page.getByLabel('Only this member').fill('user456');
    await page.getByRole('button', { name: 'Clear' }).click();
    await door('socketio').getByRole('button', { name: 'Connect' }).click();
    await door('socketio').getByText('connected, hearing user456').waitFor();
    await curl(1);
    await page.getByLabel('Member', { exact: true }).fill('user456');
    await page.getByRole('button', { name: 'Add points' }).click();
    await entry('pointsUpdated', SOCKETIO).first().waitFor();
    assert.equal((await shown(entry('pointsUpdated', SOCKETIO).last())).userId, 'user456', 'the first that has come');
  });
});

describe('with the token that signing in brings', () => {
  test('an own event comes by /ws', async () => {
    await page.getByText('Get a token by signing in').click();
    await page.getByLabel('E-mail').fill(person.email);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('#sign-in-said', { hasText: 'done' }).waitFor();
    await door('native').getByRole('button', { name: 'Connect' }).click();
    await door('native').getByText(`connected as ${person.id}`).waitFor();

    const grant = { userId: person.id, amount: 77, reason: 'somebody else has done it' };
    assert.equal((await admin.api.post('/api/points/admin/add', { body: grant })).status, 200);
    await entry('points-updated', '/ws').waitFor();
    const { data } = await shown(entry('points-updated', '/ws'));
    assert.equal(data.delta, 77);
    assert.equal(data.userId, person.id);
  });

  test('what was missed while away comes when one is back', async () => {
    await door('native').getByRole('button', { name: 'Disconnect' }).click();
    await door('native').getByText('not connected').waitFor();
    const grant = { userId: person.id, amount: 3, reason: 'while nobody looked' };
    assert.equal((await admin.api.post('/api/points/admin/add', { body: grant })).status, 200);
    await door('native').getByRole('button', { name: 'Connect' }).click();
    await entry('points-updated', '/ws').filter({ hasText: '"delta": 3,' }).waitFor();
    assert.equal(await entry('points-updated', '/ws').filter({ hasText: person.id }).count(), 2);
  });
});

test('all of it came from this server, and the console has no complaint', () => {
  const own = [`${server.url}/`, `${server.url.replace(/^http/, 'ws')}/`, 'data:', 'blob:'];
  assert.deepEqual(browser.asked.filter((url) => !own.some((start) => url.startsWith(start))), []);
  assert.deepEqual(browser.faults, []);
});

test('where the doors are closed, the page says so, and the console has no complaint either', async () => {
  const closed = await startServer({ database: server.database });
  await page.goto(`${closed.url}/websocket-test.html`);
  await door('socketio').locator('.state', { hasText: /connected|refused/ }).waitFor();
  await page.getByLabel('Token, or key').fill('nobody:nothing');
  await page.getByRole('button', { name: 'Listen with it' }).click();
  await door('socketio').getByText('refused: Unauthorized').waitFor();
  await door('native').getByRole('button', { name: 'Connect' }).click();
  await door('native').getByText('closed: Unauthorized').waitFor();
  assert.deepEqual(browser.faults, []);
  await closed.stop();
});
