// What every answer has in common: HEAD, OPTIONS, 405, trailing slashes, security headers, CORS, request ids,
// the one error body.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, raw } from '../lib/client.mjs';
import { customer, systemUser } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

const NAMED = 'https://shop.example';
let server;
let named;         // a server with an allowed origin, behind https
let anybody;
let ada;
before(async () => {
  server = await startServer();
  const env = { ORIGIN_CORS: `${NAMED}, http://localhost:5000`, TALLY_PUBLIC_URL: 'https://tally.example' };
  named = await startServer({ env });
  anybody = api(server);
  ada = await customer(server, await systemUser(server), { amount: 5 });
});
after(async () => {
  await server?.stop();
  await named?.stop();
});

describe('paths and methods', () => {
  test('HEAD answers like GET, without the body', async () => {
    const balance = `/api/accounts/balance/${ada.account._id}`;
    for (const path of ['/health', '/api/accounts', '/api/transactions', balance, '/nowhere']) {
      const [head, get] = [await ada.api.head(path), await ada.api.get(path)];
      assert.equal(head.status, get.status, path);
      assert.equal(head.headers['content-type'], get.headers['content-type'], path);
      if (path !== '/health') assert.equal(head.headers['content-length'], get.headers['content-length'], path);
      assert.equal(head.text, '');
    }
  });

  test('HEAD on the wire has no byte of a body, so that the next answer is where it should be', async () => {
    const connection = await raw(server);
    await connection.send('HEAD /nowhere HTTP/1.1\r\nHost: x\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await connection.reply({ head: true })).status, 404);
    assert.equal(JSON.parse((await connection.reply()).text).status, 'OK');
    connection.close();
  });

  test('one trailing slash is ignored, two are not', async () => {
    for (const path of ['/api/accounts', '/api/transactions', `/api/accounts/${ada.account._id}`, '/health']) {
      const reply = await ada.api.get(`${path}/`);
      assert.equal(reply.status, 200, path);
      assert.deepEqual(Object.keys(reply.json), Object.keys((await ada.api.get(path)).json));
      assert.equal((await ada.api.get(`${path}//`)).status, 404, path);
    }
    assert.equal((await ada.api.post('/api/accounts/')).status, 201);
  });

  test('paths are case-sensitive and not decoded where they are fixed', async () => {
    for (const path of ['/API/accounts', '/api/Accounts', '/api/%61ccounts', '/api//accounts']) {
      fails(await ada.api.get(path), 404, 'Not Found');
    }
  });

  test('another method is 405 and says which are allowed', async () => {
    for (const [method, path, allow] of [
      ['DELETE', '/api/accounts', 'GET, HEAD, POST, OPTIONS'],
      ['PUT', '/api/transactions', 'GET, HEAD, POST, OPTIONS'],
      ['POST', '/health', 'GET, HEAD, OPTIONS'],
      ['GET', `/api/accounts/${ada.account._id}/status`, 'PATCH, OPTIONS'],
      ['HEAD', '/api/auth/login', 'POST, OPTIONS'],
      ['POST', `/api/accounts/${ada.account._id}`, 'GET, HEAD, OPTIONS']]) {
      const reply = await anybody.request(method, path);
      assert.equal(reply.status, 405, `${method} ${path}`);
      assert.deepEqual(reply.headers.allow.split(', ').sort(), allow.split(', ').sort(), path);
      if (method !== 'HEAD') fails(reply, 405, 'Method Not Allowed');
    }
  });

  test('below /api/points an unknown path is 401 without a token, elsewhere 404', async () => {
    fails(await anybody.get('/api/points/nowhere'), 401, 'Unauthorized');
    fails(await ada.api.get('/api/points/nowhere'), 404);
    fails(await anybody.get('/nowhere'), 404, 'Not Found');
    fails(await anybody.get('/'), 404);
  });

  test('OPTIONS on an unknown path is 404', async () => {
    fails(await anybody.options('/nowhere'), 404, 'Not Found');
  });
});

describe('every answer', () => {
  const answers = () => Promise.all([
    ada.api.get('/health'), ada.api.get('/api/accounts'), anybody.get('/api/accounts'), anybody.get('/nowhere'),
    anybody.delete('/health'), anybody.options('/health'), ada.api.post('/api/transactions', { body: '{' }),
    ada.api.get('/api/transactions'),
    ada.api.post('/api/transactions', { body: '<x/>', headers: { 'content-type': 'text/xml' } }),
  ]);

  test('has the security headers and a request id', async () => {
    for (const { headers, status } of await answers()) {
      assert.equal(headers['x-content-type-options'], 'nosniff', status);
      assert.equal(headers['x-frame-options'], 'SAMEORIGIN', status);
      assert.equal(headers['referrer-policy'], 'no-referrer', status);
      assert.match(headers['x-request-id'], /^[A-Za-z0-9._-]{1,64}$/, status);
      assert.equal(headers['strict-transport-security'], undefined, status);
      assert.ok(Math.abs(Date.parse(headers.date) - Date.now()) < 5000, headers.date);
    }
  });

  test('has an id of its own, or the client\'s when that is well-formed', async () => {
    const ids = (await answers()).map(({ headers }) => headers['x-request-id']);
    assert.equal(new Set(ids).size, ids.length);
    const id = 'Order-17.retry_2';
    assert.equal((await anybody.get('/health', { headers: { 'x-request-id': id } })).headers['x-request-id'], id);
    await server.logged('http', 'request', { fits: ({ req }) => req === id });
    for (const bad of ['', 'a b', 'x'.repeat(65), 'a"b', '{}']) {
      const reply = await anybody.get('/health', { headers: { 'x-request-id': bad } });
      assert.match(reply.headers['x-request-id'], /^[0-9a-f]{16}$/);
    }
  });

  test('with JSON says so, in UTF-8', async () => {
    for (const { headers, text } of await answers()) {
      if (text) assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    }
  });

  test('asks for https when the public URL does', async () => {
    assert.match((await api(named).get('/health')).headers['strict-transport-security'], /^max-age=\d+/);
  });
});

describe('CORS', () => {
  const preflight = (client, path, origin) => client.options(path, {
    headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  });
  const words = (text) => text.toLowerCase().split(/,\s*/).sort();

  test('lets everybody read when nothing is configured, without credentials', async () => {
    const reply = await anybody.get('/health', { headers: { origin: 'https://anywhere.example' } });
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    assert.equal(reply.headers['access-control-allow-credentials'], undefined);
    assert.deepEqual(words(reply.headers['access-control-expose-headers']),
      ['idempotent-replayed', 'retry-after', 'x-cache', 'x-request-id']);
  });

  test('answers OPTIONS with 204, the methods and headers, for a day', async () => {
    const reply = await preflight(anybody, '/api/accounts', 'https://anywhere.example');
    assert.equal(reply.status, 204);
    assert.equal(reply.text, '');
    assert.deepEqual(words(reply.headers['access-control-allow-methods']), ['get', 'head', 'options', 'post']);
    assert.deepEqual(words(reply.headers['access-control-allow-headers']),
      ['authorization', 'content-type', 'idempotency-key', 'x-request-id']);
    assert.equal(reply.headers['access-control-max-age'], '86400');
  });

  const both = (origin) => Promise.all([
    api(named).get('/health', { headers: { origin } }), preflight(api(named), '/api/accounts', origin),
  ]);

  test('names the origin and allows credentials when it is configured', async () => {
    for (const origin of [NAMED, 'http://localhost:5000', 'https://tally.example']) {
      for (const reply of await both(origin)) {
        assert.equal(reply.headers['access-control-allow-origin'], origin);
        assert.equal(reply.headers['access-control-allow-credentials'], 'true');
        assert.match(reply.headers.vary, /origin/i);
      }
    }
  });

  test('tells others nothing then', async () => {
    for (const origin of ['https://evil.example', 'https://shop.example.evil.example', 'http://shop.example', 'null',
      'https://shop.example:8443']) {
      for (const reply of await both(origin)) {
        assert.equal(reply.headers['access-control-allow-origin'], undefined, origin);
        assert.equal(reply.headers['access-control-allow-credentials'], undefined, origin);
        assert.match(reply.headers.vary, /origin/i);
      }
    }
  });

  test('reaches refusals, too, so that a page can read why', async () => {
    const headers = { origin: NAMED };
    const shop = api(named, { headers });
    for (const reply of [await shop.get('/api/accounts'), await shop.get('/nowhere'), await shop.delete('/health')]) {
      assert.equal(reply.headers['access-control-allow-origin'], NAMED, String(reply.status));
    }
  });
});
