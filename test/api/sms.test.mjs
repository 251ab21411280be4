// Text messages wait in a table, go to SMSViro or into files, and are tried again when that does not
// work; a provider that hangs holds up nobody else.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { execute, query } from '../lib/pg.mjs';
import { stallsWhile, startProvider } from '../lib/provider.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const rows = (server) => query(server.database, 'SELECT * FROM sms_outbox ORDER BY id');
const enqueue = (server, phone, text) =>
  execute(server.database, `INSERT INTO sms_outbox (to_phone, text) VALUES ('${phone}', '${text}')`);
const dueNow = (server) =>
  execute(server.database, `UPDATE sms_outbox SET next_try_at = now() WHERE status = 'waiting'`);

describe('without SMSViro', () => {
  let server;
  before(async () => { server = await startServer(); });
  after(() => server.stop());

  test('a message is a file, and its text leaves the table', async () => {
    await enqueue(server, '6281234567890', 'Your code is 123456');
    const dir = path.join(server.dataDir, 'outbox/sms');
    const name = await until(() => readdirSync(dir).find((file) => file.endsWith('.json')), 'the file');
    assert.match(name, /^\d{8}T\d{6}\.\d{3}Z-\d{6}-6281234567890\.json$/);
    assert.deepEqual(JSON.parse(readFileSync(path.join(dir, name), 'utf8')),
      { to: '6281234567890', text: 'Your code is 123456' });
    await until(async () => (await rows(server))[0].status === 'sent', 'the row to be settled');
    assert.equal((await rows(server))[0].text, '');
  });
});

describe('with SMSViro', () => {
  let server;
  let provider;
  const taken = { json: { messages: [{ status: { groupId: 1, name: 'PENDING_ACCEPTED' } }] } };
  before(async () => {
    provider = await startProvider(() => taken);
    server = await startServer({ env: { API_URL_SMSVIRO: provider.url, SMSVIROTOKEN: 'viro key' } });
  });
  after(async () => {
    await server.stop();
    await provider.close();
  });

  test('a message is one call with the key', async () => {
    await enqueue(server, '628111', 'hello');
    await until(async () => (await rows(server)).at(-1).status === 'sent', 'the message to be sent');
    const { method, path: where, headers, json } = provider.calls[0];
    assert.deepEqual([method, where], ['POST', '/restapi/sms/1/text/single']);
    assert.equal(headers.authorization, 'App viro key');
    assert.match(headers['content-type'], /^application\/json/);
    assert.deepEqual(json, { to: '628111', text: 'hello' });
    assert.ok(!server.logs.some((line) => JSON.stringify(line).includes('viro key')), 'no key in the log');
  });

  const due = `SELECT extract(epoch FROM next_try_at - now())::int AS s, attempts FROM sms_outbox
    ORDER BY id DESC LIMIT 1`;

  // A process looks at the table when it starts: each try here is another process's, the one before was killed.
  test('what fails is due again after 30 s, 2 min, 10 min, also for the next process, and then given up', async () => {
    provider.answer = () => 'broken';
    await enqueue(server, '628222', 'again');
    await server.restart();
    for (const [n, seconds] of [[1, 30], [2, 120], [3, 600]]) {
      await until(async () => {
        const [{ s, attempts }] = await query(server.database, due);
        return attempts === n && s > seconds - 20 && s <= seconds;
      }, `try ${n + 1} to be due in ${seconds} s`, { timeout: 40_000 });
      await server.kill();
      await dueNow(server);
      await server.start();
    }
    await until(async () => (await rows(server)).at(-1).status === 'given_up', 'the message to be given up');
    await server.logged('sms', 'given_up');
    assert.equal((await rows(server)).at(-1).text, '', 'a text that is given up is forgotten');
    provider.answer = () => taken;
  });

  test('what the provider rejects is not tried again', async () => {
    provider.answer = () => ({ json: { messages: [{ status: { groupId: 5, name: 'REJECTED_DESTINATION' } }] } });
    await enqueue(server, '628333', 'rejected');
    await server.restart();
    await until(async () => (await rows(server)).at(-1).status === 'given_up', 'the message to be given up');
    assert.equal((await rows(server)).at(-1).attempts, 1);
    provider.answer = () => taken;
  });

  const elsewhere = { status: 302, headers: { location: '/elsewhere' }, json: {} };
  for (const mood of ['cut', { status: 429, json: {} }, elsewhere]) {
    test(`what it answers by ${JSON.stringify(mood)} is tried again`, async () => {
      provider.answer = () => mood;
      await enqueue(server, '628555', 'unlucky');
      await server.restart();
      await until(async () => {
        const [{ s, attempts }] = await query(server.database, due);
        return attempts === 1 && s > 10 && s <= 30;
      }, 'it to be due in half a minute');
      provider.answer = () => taken;
      await dueNow(server);
      await server.restart();
      await until(async () => (await rows(server)).at(-1).status === 'sent', 'it to be sent');
    });
  }

  test('one that sends a byte now and then is left after ten seconds', async () => {
    provider.answer = () => 'slow';
    await enqueue(server, '628666', 'slowly');
    await server.restart();
    await until(() => provider.waiting > 0, 'the call');
    assert.equal(await stallsWhile(server, 50), 0);
    await until(async () => {
      const [{ s, attempts }] = await query(server.database, due);
      return attempts === 1 && s > 10 && s <= 30;
    }, 'it to be due in half a minute', { timeout: 15_000 });
    provider.answer = () => taken;
    await dueNow(server);
  });

  test('a provider that hangs holds up neither requests nor the loop', async () => {
    provider.answer = () => 'hang';
    for (let i = 0; i < 20; i++) await enqueue(server, `62844${i}`, 'hanging');
    await server.restart();
    await until(() => provider.waiting >= 8, 'calls to hang');
    assert.equal(await stallsWhile(server, 100), 0);
    assert.ok(provider.waiting >= 8, 'they hang still');
    provider.answer = () => taken;
  });
});
