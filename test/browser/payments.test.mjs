// The sandbox provider's page in a real browser: the payer presses a button, and a page of the owner's, of another
// origin, that listens with the stock Socket.IO client shows the new status.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openBrowser } from '../lib/browser.mjs';
import { serveShop } from '../lib/shop.mjs';
import { api } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { freePort, startServer } from '../lib/server.mjs';

let server;
let browser;
let base;
let shop;
before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  server = await startServer({ env: { TALLY_OPEN: '1', TALLY_PORT: String(port), TALLY_PUBLIC_URL: base } });
  shop = await serveShop();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await shop?.close();
  await server?.stop();
});

const order = async (person, description) =>
  (await person.api.post('/payment-checkout', { body: { amount: 12.5, description } })).json;

test('the payer pays, and sees it', async () => {
  const { page, faults } = browser;
  const person = await register(api(server));
  const invoice = await order(person, '<b>Bread & butter</b>');
  await page.goto(invoice.invoice_url);
  await page.getByText('<b>Bread & butter</b>').waitFor();
  await page.getByText('12.50', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'Pay' }).click();
  await page.getByText('PAID', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button').count(), 0, 'nothing left to press');
  await page.getByText('Thank you').waitFor();
  assert.equal((await person.api.get('/balance')).json.balance, 12.5);
  assert.deepEqual(faults, []);
});

test('lets it expire, and sees that', async () => {
  const { page } = browser;
  const invoice = await order(await register(api(server)), 'Late');
  await page.goto(invoice.invoice_url);
  await page.getByRole('button', { name: 'Let expire' }).click();
  await page.getByText('EXPIRED', { exact: true }).waitFor();
});

describe('a page of the owner\'s, with the stock client,', () => {
  let person;
  let page;
  before(async () => {
    person = await register(api(server));
    page = await browser.another();
    const { username } = (await person.api.get('/user/profile')).json;
    await page.goto(shop.page({ server: base, token: person.token, username }));
    await page.getByText('subscribed: true').waitFor();
  });

  const entry = (invoice) => page.locator('#updates li', { hasText: invoice.invoice_id });
  const told = async (invoice) => {
    await entry(invoice).waitFor();
    return JSON.parse(await entry(invoice).innerText());
  };

  test('shows that the payer has paid, while he looks at his own', async () => {
    const invoice = await order(person, 'A book');
    await browser.page.goto(invoice.invoice_url);
    await browser.page.getByRole('button', { name: 'Pay' }).click();
    await browser.page.getByText('PAID', { exact: true }).waitFor();
    const { status, amount, paid_at: paid } = await told(invoice);
    assert.deepEqual([status, amount], ['PAID', 12.5]);
    assert.ok(Math.abs(Date.now() - Date.parse(paid)) < 60_000);
    assert.equal(await entry(invoice).count(), 1, 'once');
  });

  test('shows what expires and what is cancelled', async () => {
    const late = await order(person, 'Late');
    await browser.page.goto(late.invoice_url);
    await browser.page.getByRole('button', { name: 'Let expire' }).click();
    assert.deepEqual([(await told(late)).status, (await told(late)).paid_at], ['EXPIRED', null]);
    const { invoice_id } = await order(person, 'Never mind');
    assert.equal((await person.api.post('/invoice/cancel/xendit', { body: { invoice_id } })).status, 200);
    assert.equal((await told({ invoice_id })).status, 'CANCELLED');
  });

  test('hears nothing of somebody else\'s', async () => {
    const other = await register(api(server));
    const theirs = await order(other, 'Theirs');
    const own = await order(person, 'Own');
    for (const { invoice_url: where } of [theirs, own]) {
      assert.equal((await api(server).post(`${new URL(where).pathname}/pay`)).status, 200);
    }
    assert.equal((await told(own)).status, 'PAID');
    assert.equal(await entry(theirs).count(), 0);
  });

  test('and hears of the next payment again after the server was gone', async () => {
    await server.restart();
    await page.getByText('connections: 2').waitFor();
    await page.getByText('subscribed: true').waitFor();
    const invoice = await order(person, 'After all');
    await browser.page.goto(invoice.invoice_url);
    await browser.page.getByRole('button', { name: 'Pay' }).click();
    assert.equal((await told(invoice)).status, 'PAID');
  });
});
