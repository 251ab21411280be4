// USR-40, and pushes with payments: FCM v1 with a service account's signed assertion, or files. Devices that are gone
// are forgotten; what does not work now is tried again.
import assert from 'node:assert/strict';
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { query } from '../lib/pg.mjs';
import { stallsWhile, startProvider } from '../lib/provider.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const service = { basic: 'demo:demo' };
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048,
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' }, publicKeyEncoding: { type: 'spki', format: 'pem' } });

let count = 0;
async function owner(server, devices = 1) {
  const person = await register(server);
  const [{ username }] = await query(server.database, `SELECT username FROM users WHERE email = '${person.email}'`);
  const tokens = [];
  for (let n = 0; n < devices; n++) {
    tokens.push(`device-${++count}`);
    const reply = await person.api.post('/fcm/register', { body: { token: tokens[n], device_type: 'android' } });
    assert.equal(reply.status, 200, reply.text);
  }
  return { ...person, username, tokens };
}

const push = (server, username, more = {}) => api(server).post('/fcm/send',
  { ...service, body: { username, title: 'Hello', body: 'World', ...more }, timeout: 20_000 });
const devices = async (server, who) => (await query(server.database, `SELECT token FROM fcm_tokens t
  JOIN users u ON u.id = t.user_id WHERE u.username = '${who.username}' ORDER BY token`)).map(({ token }) => token);

describe('without a service account', () => {
  let server;
  before(async () => {
    server = await startServer({ env: { TALLY_OPEN: '1' } });
    await server.command('seed');
  });
  after(() => server.stop());

  const files = () => readdirSync(path.join(server.dataDir, 'outbox/push')).filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(path.join(server.dataDir, 'outbox/push', name), 'utf8')));

  test('a push is a file for each device', async () => {
    const ada = await owner(server, 2);
    const reply = await push(server, ada.username, { data: { order: '17' } });
    assert.deepEqual([reply.status, reply.json],
      [200, { status: true, message: 'Notification sent', data: { sent: 2, failed: 0 } }]);
    assert.deepEqual(files().sort((a, b) => (a.token < b.token ? -1 : 1)), ada.tokens.map((token) =>
      ({ token, notification: { title: 'Hello', body: 'World' }, data: { order: '17' } })));
  });

  test('nobody of that name, nobody with a device, a field at fault', async () => {
    fails(await push(server, 'no.one'), 500, 'Account does not exist');
    assert.deepEqual((await push(server, (await owner(server, 0)).username)).json.data, { sent: 0, failed: 0 });
    fails(await push(server, 'x', { data: { n: 5 } }), 400, undefined, ['data']);
    fails(await push(server, 'x', { title: '' }), 400, undefined, ['title']);
    const ada = await owner(server, 0);
    for (const proof of [{}, { token: ada.token }, { basic: 'demo:wrong' }]) {
      assert.ok([401, 403].includes((await api(server).post('/fcm/send', { ...proof, body: {} })).status));
    }
  });

  test('a payment tells the devices of its owner', async () => {
    const ada = await owner(server);
    const { json } = await ada.api.post('/payment-checkout', { body: { amount: 5, description: 'Top-up' } });
    await api(server).post(`/sandbox/invoices/${json.invoice_id}/pay`);
    const file = await until(() => files().find(({ token }) => token === ada.tokens[0]), 'the push');
    assert.deepEqual(file, { token: ada.tokens[0], notification: { title: 'Payment received: 5 USD', body: 'Top-up' },
      data: { status: 'PAID', external_id: json.external_id } });
  });
});

describe('with Firebase', () => {
  let server;
  let google;
  let answer;
  let issue;
  const good = { json: { name: 'projects/shop/messages/1' } };
  const gone = { status: 404, json: { error: { code: 404, status: 'NOT_FOUND', details: [
    { '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode: 'UNREGISTERED' }] } } };
  const messages = () => google.calls.filter((call) => call.path !== '/token');
  const assertions = () => google.calls.filter((call) => call.path === '/token');

  before(async () => {
    answer = () => good;
    let issued = 0;
    issue = () => ({ json: { access_token: `access-${++issued}`, expires_in: 3599, token_type: 'Bearer' } });
    google = await startProvider((call) => (call.path === '/token' ? issue() : answer(call)));
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'tally-key.')), 'key.json');
    writeFileSync(file, JSON.stringify({ type: 'service_account', project_id: 'shop', private_key: privateKey,
      client_email: 'push@shop.example', token_uri: `${google.url}/token` }));
    server = await startServer({ env: { TALLY_FCM_KEY_FILE: file, FCM_BASE_URL: google.url } });
    await server.command('seed');
  });
  after(async () => {
    await server.stop();
    await google.close();
    assert.ok(!server.logs.some((line) => /access-\d|PRIVATE KEY/.test(JSON.stringify(line))), 'no token in the log');
  });

  test('a message is one call with an access token, which is asked for once', async () => {
    const ada = await owner(server, 3);
    assert.deepEqual((await push(server, ada.username)).json.data, { sent: 3, failed: 0 });
    assert.deepEqual((await push(server, ada.username)).json.data, { sent: 3, failed: 0 });
    assert.equal(assertions().length, 1);
    const { method, path: where, headers, json } = messages()[0];
    assert.deepEqual([method, where, headers.authorization],
      ['POST', '/v1/projects/shop/messages:send', 'Bearer access-1']);
    assert.ok(ada.tokens.includes(json.message.token));
    assert.deepEqual(json.message.notification, { title: 'Hello', body: 'World' });
  });

  test('the assertion is signed with the account\'s key and says what it must', () => {
    const form = new URLSearchParams(assertions()[0].body);
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
    const [head, claims, signature] = form.get('assertion').split('.');
    const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
    assert.deepEqual(read(head), { alg: 'RS256', typ: 'JWT' });
    const { iat, exp, ...rest } = read(claims);
    assert.deepEqual(rest, { iss: 'push@shop.example', aud: `${google.url}/token`,
      scope: 'https://www.googleapis.com/auth/firebase.messaging' });
    assert.ok(Math.abs(iat - Date.now() / 1000) < 120 && exp === iat + 3600);
    const verify = createVerify('RSA-SHA256').update(`${head}.${claims}`);
    assert.ok(verify.verify(publicKey, Buffer.from(signature, 'base64url')));
  });

  test('a device that is gone is forgotten, the others stay', async () => {
    const ada = await owner(server, 3);
    answer = ({ json }) => (json.message.token === ada.tokens[1] ? gone : good);
    assert.deepEqual((await push(server, ada.username)).json.data, { sent: 2, failed: 1 });
    assert.deepEqual(await devices(server, ada), [ada.tokens[0], ada.tokens[2]]);
    answer = () => good;
  });

  test('a service that fails keeps its devices; a token that is refused is asked for anew', async () => {
    const ada = await owner(server, 1);
    for (const mood of ['broken', 'cut', { status: 429, json: {} }, { status: 401, json: {} }]) {
      answer = () => mood;
      assert.deepEqual((await push(server, ada.username)).json.data, { sent: 0, failed: 1 }, JSON.stringify(mood));
      assert.deepEqual(await devices(server, ada), ada.tokens);
    }
    answer = () => good;
    const before_ = assertions().length;
    assert.deepEqual((await push(server, ada.username)).json.data, { sent: 1, failed: 0 });
    assert.equal(assertions().length, before_ + 1);
  });

  test('without an access token nothing is sent, and nothing forgotten', async () => {
    const ada = await owner(server, 1);
    answer = () => ({ status: 401, json: {} });   // the one that it has is no good any more
    await push(server, ada.username);
    answer = () => good;
    const [before_, regular] = [messages().length, issue];
    const refused = { status: 400, json: { error: 'invalid_grant' } };
    for (const mood of ['broken', 'garbage', 'cut', refused, { json: {} }]) {
      issue = () => mood;
      assert.deepEqual((await push(server, ada.username)).json.data, { sent: 0, failed: 1 }, JSON.stringify(mood));
    }
    assert.equal(messages().length, before_);
    issue = regular;
    assert.deepEqual((await push(server, ada.username)).json.data, { sent: 1, failed: 0 });
    assert.deepEqual(await devices(server, ada), ada.tokens);
  });

  test('one that hangs, or sends a byte now and then, is left after ten seconds and holds up nobody', async () => {
    const people = [await owner(server, 1), await owner(server, 1)];
    const moods = ['hang', 'slow'];
    answer = () => moods.shift() ?? good;
    const begun = Date.now();
    const sending = people.map(({ username }) => push(server, username));
    await until(() => google.waiting === 2, 'both to hang');
    assert.equal(await stallsWhile(server, 50), 0);
    for (const reply of await Promise.all(sending)) assert.deepEqual(reply.json.data, { sent: 0, failed: 1 });
    assert.ok(Date.now() - begun > 9000 && Date.now() - begun < 15_000);
    for (const person of people) assert.deepEqual(await devices(server, person), person.tokens);
  });

  test('a key file that is none ends the start', async () => {
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'tally-key.')), 'key.json');
    writeFileSync(file, '{"type":"service_account","project_id":"x","client_email":"y","private_key":"z"}');
    await assert.rejects(startServer({ env: { TALLY_FCM_KEY_FILE: file } }), /no service account/);
  });
});
