// Pages and their assets, as they lie in the binary: what caches, browsers and the curious get to see. BANK-26's page,
// REW-12 and REW-21 stand for all.
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { api } from '../lib/client.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

const PAGES = ['/api', '/websocket-test.html', '/verify-email'];
const DOCUMENTS = ['/api-json', '/openapi.json', '/asyncapi.json'];      // written at the start
const TYPES = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8' };

let server;
let anybody;
const assets = new Set();

before(async () => {
  server = await startServer();
  anybody = api(server);
  const look = async (path) => {
    const { status, text } = await anybody.get(path);
    assert.equal(status, 200, path);
    for (const [, found] of text.matchAll(/["'(](\/assets\/[^"')]+)/g)) {
      if (assets.has(found)) continue;
      assets.add(found);
      if (/\.(js|css)$/.test(found)) await look(found);
    }
  };
  for (const page of PAGES) await look(page);
});
after(() => server?.stop());

const packed = { 'accept-encoding': 'br, gzip' };

describe('a page', () => {
  for (const path of PAGES) {
    test(`${path} is HTML with a policy that allows nothing inline and nobody else`, async () => {
      const { headers, text } = await anybody.get(path);
      assert.equal(headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(headers['cache-control'], 'no-cache');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.match(headers['content-security-policy'], /^default-src 'self'; /);
      assert.doesNotMatch(headers['content-security-policy'], /unsafe|https?:|\*/);
      assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=/, 'something inline');
      assert.doesNotMatch(text, /https?:\/\/|="\/\//, 'an address elsewhere');
      assert.match(text, /<html lang="en"/);
    });
  }
});

describe('an asset', () => {
  test('of each kind is there, under an address that changes with it, to be kept for good', async () => {
    assert.ok(assets.size >= 10, [...assets].join());
    for (const path of assets) {
      assert.match(path, /^\/assets\/[0-9a-f]{16}\/[\w.-]+$/);
      const reply = await anybody.get(path);
      assert.equal(reply.status, 200, path);
      assert.equal(reply.headers['content-type'], TYPES[/\w+$/.exec(path)[0]], path);
      assert.equal(reply.headers['cache-control'], 'public, max-age=31536000, immutable');
      assert.ok(reply.bytes.length > 100, path);
      assert.equal(reply.headers.etag, `"${path.split('/')[2]}"`);
    }
  });

  test('points to no map that is not served', async () => {
    for (const path of [...assets].filter((name) => name.endsWith('.js'))) {
      assert.doesNotMatch((await anybody.get(path)).text, /^\/\/# sourceMappingURL=/m, path);
    }
  });
});

describe('every file', () => {
  const all = () => [...PAGES, ...DOCUMENTS, ...assets];

  test('comes compressed to who takes that, with a tag of its own, and is the same inside', async () => {
    for (const path of all()) {
      const [plain, small] = [await anybody.get(path), await anybody.get(path, { headers: packed })];
      assert.equal(plain.headers['content-encoding'], undefined, path);
      assert.equal(plain.headers.vary, small.headers.vary);
      if (!small.headers['content-encoding']) continue;
      assert.equal(small.headers['content-encoding'], 'gzip', path);
      assert.match(small.headers.vary, /\bAccept-Encoding\b/);
      assert.ok(small.bytes.length < plain.bytes.length * 0.9, `${path}: ${small.bytes.length}`);
      assert.deepEqual(gunzipSync(small.bytes), plain.bytes, path);
      assert.equal(small.headers.etag, `${plain.headers.etag.slice(0, -1)}-gz"`);
    }
    for (const path of DOCUMENTS) {
      assert.equal((await anybody.get(path, { headers: packed })).headers['content-encoding'], 'gzip', path);
    }
    const refusing = await anybody.get('/api', { headers: { 'accept-encoding': 'gzip;q=0, *' } });
    assert.equal(refusing.headers['content-encoding'], undefined);
  });

  test('is 304 to who has it', async () => {
    for (const path of all()) {
      const { headers } = await anybody.get(path);
      for (const known of [headers.etag, `"other", W/${headers.etag}`, '*']) {
        const reply = await anybody.get(path, { headers: { 'if-none-match': known } });
        assert.equal(reply.status, 304, `${path} ${known}`);
        assert.equal(reply.bytes.length, 0);
        assert.equal(reply.headers.etag, headers.etag);
        assert.equal(reply.headers['cache-control'], headers['cache-control']);
      }
      assert.equal((await anybody.get(path, { headers: { 'if-none-match': '"other"' } })).status, 200);
    }
  });

  test('answers HEAD like GET, without the bytes', async () => {
    for (const path of all()) {
      const [got, head] = [await anybody.get(path, { headers: packed }), await anybody.head(path, { headers: packed })];
      assert.equal(head.status, 200);
      assert.equal(head.bytes.length, 0);
      for (const name of ['content-type', 'content-length', 'etag', 'vary', 'content-encoding', 'cache-control']) {
        assert.equal(head.headers[name], got.headers[name], `${path} ${name}`);
      }
      assert.equal(Number(head.headers['content-length']), got.bytes.length);
    }
  });

  test('can only be read', async () => {
    for (const path of all()) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        const reply = await anybody.request(method, path);
        fails(reply, 405);
        assert.equal(reply.headers.allow, 'GET, HEAD, OPTIONS');
      }
    }
  });

  test('is its exact address: there is no folder that a path could lead into or out of', async () => {
    const [one] = assets;
    const [, , hash, name] = one.split('/');
    for (const path of ['/assets', `/assets/${hash}`, `/assets/${name}`, `/assets/0000000000000000/${name}`,
      `/assets/${hash}/../${hash}/${name}`, `/assets/${hash}/%2e%2e/${hash}/${name}`,
      `/assets/${hash}/..%2f..%2fLICENSE`,
      `/assets//${hash}/${name}`, `/assets/${hash}/${name}.gz`, `/assets/${hash}/${name}%00`, '/web/manifest',
      '/api.html', '/verify-email.html', '/form.js', '/package.json']) {
      // Sent as it stands: URL would tidy it up.
      const { status } = await new Promise((resolve, reject) => {
        get({ host: server.host, port: server.port, path }, (reply) => {
          reply.resume();
          resolve({ status: reply.statusCode });
        }).on('error', reject);
      });
      assert.equal(status, 404, path);
    }
  });
});
