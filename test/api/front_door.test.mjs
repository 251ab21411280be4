// The listener under clients that are slow, greedy, hasty or gone: heads and bodies that are too long, too slow or cut
// short, pipelining, chunked bodies, Expect, HTTP/1.0, absolute targets.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api, raw } from '../lib/client.mjs';
import { balanceOf, customer, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const MIB = 1 << 20;
let server;
let ada;
let bob;
before(async () => {
  server = await startServer();
  const system = await systemUser(server);
  [ada, bob] = [await customer(server, system, { amount: 1000 }), await customer(server, system, { amount: 0 })];
});
after(() => server?.stop());

const get = (path, ...lines) => `${[`GET ${path} HTTP/1.1`, 'Host: x', ...lines].join('\r\n')}\r\n\r\n`;
const post = (path, ...lines) => `${[`POST ${path} HTTP/1.1`, 'Host: x', 'Content-Type: application/json',
  `Authorization: Bearer ${ada.token}`, ...lines].join('\r\n')}\r\n\r\n`;
const transferBody = (amount = 1) => JSON.stringify({ fromAccount: ada.account._id, toAccount: bob.account._id, amount,
  idempotencyKey: randomUUID() });

async function exchange(bytes, { head } = {}) {
  const connection = await raw(server);
  await connection.send(bytes);
  const reply = await connection.reply({ head });
  return { reply, connection };
}

/** It says this, and then hangs up. */
async function refused(bytes, status) {
  const { reply, connection } = await exchange(bytes);
  fails(reply, status);
  assert.equal(reply.headers.connection, 'close');
  assert.equal(await connection.closed(), '');
}

/** One that has gone without an answer has moved nothing. */
async function movesNothing(body) {
  const before = await balanceOf(bob, bob.account);
  await body();
  assert.equal(await balanceOf(bob, bob.account), before);
}

describe('too long', () => {
  const lines = (n) => Array.from({ length: n - 1 }, (_, at) => `X-${at}: y`);
  test('10,000 headers: 431', () => refused(get('/health', ...lines(10_000)), 431));
  test('65 short headers: 431, but 64 are fine', async () => {
    await refused(get('/health', ...lines(65)), 431);
    const { reply, connection } = await exchange(get('/health', ...lines(64)));
    assert.equal(reply.status, 200);
    connection.close();
  });
  test('a cookie of 1 MB: 431', () => refused(get('/health', `Cookie: token=${'x'.repeat(MIB)}`), 431));
  test('one header name without an end: 431', () => refused(`GET / HTTP/1.1\r\nHost: x\r\n${'x'.repeat(MIB)}`, 431));
  test('a target of 9,000 characters: 414', () => refused(get(`/${'x'.repeat(9000)}`), 414));
  test('a request line without an end: 414', () => refused(`GET /${'x'.repeat(MIB)}`, 414));
  test('a target of 8,000 characters is only unknown', async () => {
    const { reply, connection } = await exchange(get(`/${'x'.repeat(8000)}`));
    fails(reply, 404);
    connection.close();
  });

  test('a body of more than 1 MiB is 413 before a byte of it has come', () => movesNothing(async () => {
    await refused(post('/api/transactions', `Content-Length: ${MIB + 1}`), 413);
    await refused(post('/api/transactions', 'Content-Length: 99999999999999'), 413);
    await refused(post('/api/transactions', `Content-Length: ${MIB + 1}`, 'Expect: 100-continue'), 413);
  }));
  test('a chunked body is 413 where it grows beyond it', () => movesNothing(async () => {
    const chunk = `10000\r\n${' '.repeat(65536)}\r\n`;
    await refused(post('/api/transactions', 'Transfer-Encoding: chunked') + chunk.repeat(17), 413);
  }));
  test('1 MiB is not too long', async () => {
    const body = transferBody().padEnd(MIB, ' ');
    const { reply, connection } = await exchange(post('/api/transactions', `Content-Length: ${MIB}`) + body);
    assert.equal(reply.status, 200, reply.text);
    connection.close();
  });
});

describe('bodies', () => {
  const type = (headers, body = transferBody()) => ada.api.post('/api/transactions', { headers, body });

  test('of another type: 415', () => movesNothing(async () => {
    for (const bad of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '', 'text/json',
      'application/jsonx', 'application/json; charset=latin1']) {
      fails(await type({ 'content-type': bad }), 415);
    }
    fails(await type({ 'content-type': 'application/json', 'content-encoding': 'gzip' }), 415);
  }));
  test('of the type, however it is written', async () => {
    for (const good of ['application/json', 'Application/JSON', 'application/json; charset=utf-8',
      'application/json;charset="UTF-8"']) {
      assert.equal((await type({ 'content-type': good })).status, 200, good);
    }
  });

  test('in chunks, in any pieces', async () => {
    const body = transferBody(2);
    const pieces = (size) => body.match(new RegExp(`.{1,${size}}`, 'g'))
      .map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`).join('');
    for (const [size, how] of [[1, 'send'], [7, 'sendSlowly'], [1000, 'send']]) {
      const connection = await raw(server);
      await connection[how](`${post('/api/transactions', 'Transfer-Encoding: chunked')}${pieces(size)}0\r\n\r\n`);
      assert.equal(JSON.parse((await connection.reply()).text).transaction.amount, 2);
      await connection.send(get('/health'));
      assert.equal((await connection.reply()).status, 200);
      connection.close();
    }
  });

  test('cut short: no answer, no effect', () => movesNothing(async () => {
    const body = transferBody();
    const heads = [`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked'];
    for (const [at, line] of heads.entries()) {
      const part = at ? `${body.length.toString(16)}\r\n${body.slice(0, -1)}` : body.slice(0, -1);
      for (const leave of ['end', 'close']) {
        const connection = await raw(server);
        await connection.send(post('/api/transactions', line) + part);
        connection[leave]();
        if (leave === 'end') assert.equal(await connection.closed(), '');
      }
    }
    assert.equal((await ada.api.get('/health')).status, 200);
  }));

  test('whole, but nobody waits for the answer: it is done all the same', async () => {
    const before = await balanceOf(bob, bob.account);
    const body = transferBody(4);
    const connection = await raw(server);
    await connection.send(post('/api/transactions', `Content-Length: ${body.length}`) + body);
    connection.end();
    await until(async () => (await balanceOf(bob, bob.account)) === before + 4, 'the transfer');
  });

  test('announced with Expect are asked for, and only when they are wanted', async () => {
    const body = transferBody();
    const { reply, connection } = await exchange(
      post('/api/transactions', `Content-Length: ${body.length}`, 'Expect: 100-continue'));
    assert.equal(reply.status, 100);
    await connection.send(body);
    assert.equal((await connection.reply()).status, 200);
    connection.close();
  });
  test('with another expectation: 417', () => movesNothing(async () => {
    const body = transferBody();
    const other = await exchange(
      post('/api/transactions', `Content-Length: ${body.length}`, 'Expect: the unexpected') + body);
    fails(other.reply, 417);
    other.connection.close();
  }));
});

describe('pipelining', () => {
  test('100 requests in one write are answered in their order', async () => {
    const connection = await raw(server);
    const token = `Authorization: Bearer ${ada.token}`;
    const balance = `/api/accounts/balance/${ada.account._id}`;
    const paths = ['/health', '/api/transactions', '/nowhere', balance, '/openapi.json'];
    const expected = [200, 200, 404, 200, 200];
    const requests = Array.from({ length: 100 }, (_, n) => get(paths[n % 5], token, `X-Request-Id: n-${n}`));
    await connection.send(requests.join(''));
    const replies = await connection.replies(100);
    assert.deepEqual(replies.map(({ headers }) => headers['x-request-id']), requests.map((_, n) => `n-${n}`));
    assert.deepEqual(replies.map(({ status }) => status), requests.map((_, n) => expected[n % 5]));
    connection.close();
  });

  test('transfers among them all happen', async () => {
    const before = await balanceOf(bob, bob.account);
    const bodies = Array.from({ length: 100 }, () => transferBody(0.5));
    const connection = await raw(server);
    const requests = bodies.map((body) => post('/api/transactions', `Content-Length: ${body.length}`) + body);
    await connection.send(requests.join(''));
    const replies = await connection.replies(100);
    assert.deepEqual(replies.map(({ text }) => JSON.parse(text).transaction.idempotencyKey),
      bodies.map((body) => JSON.parse(body).idempotencyKey));
    assert.equal(await balanceOf(bob, bob.account), before + 50);
    connection.close();
  });

  test('nothing behind "Connection: close" is looked at', async () => {
    const connection = await raw(server);
    await connection.send(get('/health', 'Connection: close') + get('/nowhere'));
    assert.equal((await connection.reply()).headers.connection, 'close');
    assert.equal(await connection.closed(), '');
  });
});

describe('older and stranger forms', () => {
  test('HTTP/1.0 needs no host and ends with the answer', async () => {
    const { reply, connection } = await exchange('GET /health HTTP/1.0\r\n\r\n');
    assert.equal(reply.status, 200);
    assert.equal(await connection.closed(), '');
  });
  test('HTTP/1.0 with keep-alive goes on', async () => {
    const { reply, connection } = await exchange('GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    assert.equal(reply.headers.connection.toLowerCase(), 'keep-alive');
    await connection.send('GET /health HTTP/1.0\r\n\r\n');
    assert.equal((await connection.reply()).status, 200);
    await connection.closed();
  });
  test('an absolute target of this host is like its path', async () => {
    for (const target of ['http://x/health', 'http://X/health', 'https://x/health?a=b']) {
      const { reply, connection } = await exchange(get(target));
      assert.equal(reply.status, 200, target);
      connection.close();
    }
  });
  test('OPTIONS * is answered', async () => {
    const { reply, connection } = await exchange('OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal(reply.status, 204);
    connection.close();
  });
});

describe('slow clients', () => {
  const SLOW = 2000;

  test(`${SLOW} that trickle keep nobody waiting, and are served when they are done`, async () => {
    const body = transferBody(1);
    const whole = [get('/health'), post('/api/transactions', `Content-Length: ${body.length}`) + body];
    const slow = [];
    while (slow.length < SLOW) {
      slow.push(...await Promise.all(Array.from({ length: 100 }, async (_, n) => {
        const bytes = whole[n % 2];
        const at = bytes.length - 1 - (n % 50);
        const connection = await raw(server, { timeout: 30_000 });
        await connection.send(bytes.slice(0, at));
        return { connection, rest: bytes.slice(at) };
      })));
    }
    for (let n = 0; n < 50; n++) {
      assert.equal((await api(server).get('/health', { timeout: 2000 })).status, 200);
      assert.equal((await transfer(ada, ada.account, bob.account, 0.01, randomUUID(), { timeout: 2000 })).status, 200);
    }
    // Nobody is answered before he has asked; who let his head's time pass has heard that.
    for (const { connection } of slow) assert.match(connection.bytes.toString(), /^$|^HTTP\/1\.1 408 /);
    const asked = slow.filter(({ connection }) => !connection.bytes.length && !connection.ended).slice(-200);
    assert.equal(asked.length, 200, 'they are still welcome');
    for (const { connection, rest } of asked) await connection.sendSlowly(rest, 10);
    for (const { connection } of asked) assert.equal((await connection.reply()).status, 200);
    for (const { connection } of slow) connection.close();
  });

  test('who does not finish his head in 10 seconds gets 408, however he trickles', { timeout: 30_000 }, async () => {
    const connection = await raw(server, { timeout: 20_000 });
    const started = Date.now();
    await connection.send('GET /health HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => connection.send('X-Drip: y\r\n'), 500);
    try {
      fails(await connection.reply(), 408, 'Request Timeout');
      assert.equal(await connection.closed(), '');
      assert.ok(Date.now() - started > 9000, 'not before its time');
    } finally {
      clearInterval(drip);
    }
  });
});
