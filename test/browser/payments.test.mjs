// The sandbox provider's page in a real browser: the payer presses a button, and a page of the owner's that listens
// with the stock Socket.IO client shows the new status.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { openBrowser } from '../lib/browser.mjs';
import { api } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { freePort, startServer } from '../lib/server.mjs';

let server;
let browser;
let base;
before(async () => {
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  server = await startServer({ env: { TALLY_OPEN: '1', TALLY_PORT: String(port), TALLY_PUBLIC_URL: base } });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
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
  await page.getByText('12.5').waitFor();
  await page.getByRole('button', { name: 'Pay' }).click();
  await page.getByText('PAID', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button').count(), 0, 'nothing left to press');
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
