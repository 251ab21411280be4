// The Engine.IO protocol, version 4, packet by packet: what its public test suite asks of a server, and
// what it leaves open. Binary packets are not taken, which must be said clearly. The change of transports
// is engineio_upgrade.test.mjs, bounds are engineio_limits.test.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, raw } from '../lib/client.mjs';
import { Packets, pollingSession, startEcho, webSocketSession } from '../lib/echo.mjs';
import { until } from '../lib/wait.mjs';

const INTERVAL = 300;
const TIMEOUT = 200;

let echo;
before(async () => { echo = await startEcho({ pingInterval: INTERVAL, pingTimeout: TIMEOUT }); });
after(() => echo.stop());

const text = { 'content-type': 'text/plain;charset=UTF-8' };
const faults = {
  transport: [400, { code: 0, message: 'Transport unknown' }],
  sid: [400, { code: 1, message: 'Session ID unknown' }],
  method: [400, { code: 2, message: 'Bad handshake method' }],
  request: [400, { code: 3, message: 'Bad request' }],
  version: [400, { code: 5, message: 'Unsupported protocol version' }],
};

async function expectFault(method, query, fault, options) {
  const reply = await api(echo).request(method, `/engine.io/?${query}`, options);
  assert.deepEqual([reply.status, reply.json], faults[fault], `${method} ${query}`);
}

async function expectRefused(query, fault) {
  const ws = new Packets(echo, query);
  await ws.closed();
  await until(() => ws.refused, 'the answer');
  assert.deepEqual([ws.refused.status, JSON.parse(ws.refused.text)], faults[fault]);
}

const expectGone = async (session) => expectFault('GET', `EIO=4&transport=polling&sid=${session.sid}`, 'sid');

const get = (url) => `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** A connection on which a poll waits: it is one that the server knows, and what is sent on it now is read first. */
async function waitingPoll(session) {
  const c = await raw(echo);
  await c.send(get('/metrics'));
  await c.reply();
  await c.send(get(session.url()));
  return c;
}

/** A poll that waits, and a post. Their replies. */
async function pollAndPost(session, body, headers = text) {
  const c = await waitingPoll(session);
  const posted = await api(echo).post(session.url(), { body, headers });
  const polled = await c.reply();
  c.close();
  return [polled, posted];
}

function checkHandshake(value, upgrades) {
  assert.match(value.sid, /^e1[\w-]{24}$/);      // names its process, and nobody can guess the rest
  assert.deepEqual({ ...value, sid: '' },
    { sid: '', upgrades, pingInterval: INTERVAL, pingTimeout: TIMEOUT, maxPayload: 1_000_000 });
}

describe('the handshake over long polling', () => {
  test('opens a session', async () => {
    const reply = await api(echo).get('/engine.io/?EIO=4&transport=polling');
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['content-type'], 'text/plain; charset=utf-8');
    assert.equal(reply.headers['cache-control'], 'no-store');
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    assert.equal(reply.text[0], '0');
    checkHandshake(JSON.parse(reply.text.slice(1)), ['websocket']);
  });

  test('works without the slash at the end, and ids differ', async () => {
    const first = await pollingSession(echo, '/engine.io');
    const second = await pollingSession(echo, '/engine.io');
    assert.notEqual(first.sid, second.sid);
  });

  test('refuses any EIO but 4', async () => {
    for (const query of ['transport=polling', 'EIO=abc&transport=polling', 'EIO=3&transport=polling',
      'EIO=5&transport=polling', 'EIO=&transport=polling', 'EIO=44&transport=polling']) {
      await expectFault('GET', query, 'version');
    }
  });

  test('refuses an unknown transport, whatever else is wrong', async () => {
    for (const query of ['EIO=4', 'EIO=4&transport=abc', 'EIO=3&transport=', 'transport=webtransport&sid=x']) {
      await expectFault('GET', query, 'transport');
    }
  });

  test('refuses every method but GET', async () => {
    await expectFault('POST', 'EIO=4&transport=polling', 'method', { body: '4hi', headers: text });
    await expectFault('POST', 'EIO=4&transport=polling', 'method');
    await expectFault('PUT', 'EIO=4&transport=polling', 'method');
    const head = await api(echo).head('/engine.io/?EIO=4&transport=polling');
    assert.equal(head.status, 405);      // it must not take a session's packets
  });

  test('does not know strangers', async () => {
    await expectFault('GET', 'EIO=4&transport=polling&sid=abc', 'sid');
    await expectFault('POST', 'EIO=4&transport=polling&sid=abc', 'sid', { body: '4hi', headers: text });
    await expectRefused({ sid: 'abc' }, 'sid');
  });

  test('refuses a WebSocket transport without a WebSocket, and the reverse', async () => {
    await expectFault('GET', 'EIO=4&transport=websocket', 'request');
    await expectRefused({ transport: 'polling' }, 'request');
  });
});

describe('the handshake over a WebSocket', () => {
  test('opens a session', async () => {
    const session = await webSocketSession(echo);
    checkHandshake(session.handshake, []);
    session.close();
  });

  test('refuses any EIO but 4', async () => {
    for (const EIO of ['abc', '3', '']) await expectRefused({ EIO }, 'version');
  });

  test('refuses an unknown transport', () => expectRefused({ transport: 'abc' }, 'transport'));

  test('refuses a broken WebSocket key', async () => {
    const c = await raw(echo);
    await c.send('GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n' +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n');
    const reply = await c.reply();
    assert.deepEqual([reply.status, JSON.parse(reply.text)], faults.request);
    c.close();
  });

  test('polling for its session is refused', async () => {
    const session = await webSocketSession(echo);
    await expectFault('GET', `EIO=4&transport=polling&sid=${session.sid}`, 'request');
    await expectFault('POST', `EIO=4&transport=polling&sid=${session.sid}`, 'request', { body: '4hi', headers: text });
    session.send('4still here');
    assert.equal(await session.next(), '4still here');
    session.close();
  });
});

describe('messages over long polling', () => {
  test('one packet', async () => {
    const session = await pollingSession(echo);
    const posted = await session.post('4hello');
    assert.deepEqual([posted.status, posted.text], [200, 'ok']);
    const polled = await session.poll();
    assert.deepEqual([polled.status, polled.text], [200, '4hello']);
  });

  test('several packets in one payload', async () => {
    const session = await pollingSession(echo);
    assert.equal((await session.post('4test1', '4test2', '4test3')).text, 'ok');
    assert.equal((await session.poll()).text, '4test1\x1e4test2\x1e4test3');
  });

  test('a poll that waits is answered when there is something to say', async () => {
    const session = await pollingSession(echo);
    const [polled, posted] = await pollAndPost(session, '4später €\x1e4and 𝄞');
    assert.equal(posted.text, 'ok');
    assert.equal(polled.text, '4später €\x1e4and 𝄞');
  });

  test('an empty message is one', async () => {
    const session = await pollingSession(echo);
    await session.post('4');
    assert.equal((await session.poll()).text, '4');
  });

  for (const [what, body, headers] of [
    ['no packet', 'abc'], ['an unknown type', '7hi'], ['nothing', ''], ['an empty packet at the end', '4a\x1e'],
    ['a binary packet', '4hello\x1ebAQIDBA=='], ['broken UTF-8', Buffer.from([0x34, 0xff])],
    ['a ping of the client\'s', '2'],
    ['a binary body', Buffer.from([4, 1]), { 'content-type': 'application/octet-stream' }],
  ]) {
    test(`${what} closes the session, and the poll that waits hears of it`, async () => {
      const session = await pollingSession(echo);
      const [polled, posted] = await pollAndPost(session, body, headers);
      assert.deepEqual([posted.status, JSON.parse(posted.text)], faults.request);
      assert.deepEqual([polled.status, polled.text], [200, '1']);
      await expectGone(session);
    });
  }

  test('two polls at once close the session', async () => {
    const session = await pollingSession(echo);
    const c = await waitingPoll(session);
    const second = await session.poll();
    assert.deepEqual([second.status, second.json], faults.request);
    const first = await c.reply();
    assert.deepEqual([first.status, first.text], [200, '1']);
    await expectGone(session);
    await echo.line(new RegExp(`closed ${session.sid} transport error`));
    c.close();
  });

  test('a post while another one is under way closes the session', async () => {
    const session = await pollingSession(echo);
    const c = await raw(echo);
    await c.send(`POST ${session.url()} HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n4he`);
    const second = await until(async () => {
      const reply = await session.post('4other');
      return reply.status === 400 && reply;
    }, 'the second post to be refused');
    assert.deepEqual(second.json, faults.sid[1]);
    await c.send('llo!');
    assert.deepEqual((await c.reply()).status, 400);
    await expectGone(session);
    c.close();
  });

  test('a post that is refused on the way closes the session', async () => {
    const session = await pollingSession(echo);
    const c = await raw(echo);
    await c.send(`POST ${session.url()} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n7a120\r\n4`);
    await c.send(`${'x'.repeat(499_999)}\r\n7a121\r\n${'x'.repeat(500_001)}\r\n0\r\n\r\n`);
    assert.equal((await c.reply()).status, 413);
    await echo.line(new RegExp(`closed ${session.sid} transport error`));
    await expectGone(session);
    c.close();
  });

  test('who goes away in the middle of a poll or a post has left', async () => {
    for (const request of ['GET', 'POST']) {
      const session = await pollingSession(echo);
      const c = await raw(echo);
      const body = request === 'POST' ? 'Content-Length: 7\r\n\r\n4he' : '\r\n';
      await c.send(`${request} ${session.url()} HTTP/1.1\r\nHost: a\r\n${body}`);
      c.close();
      await echo.line(new RegExp(`closed ${session.sid} transport error`));
      await expectGone(session);
    }
  });

  test('a poll that closes its connection with the answer works as well', async () => {
    const session = await pollingSession(echo);
    const waiting = session.poll({ headers: { connection: 'close' } });
    await session.post('4x');
    assert.equal((await waiting).text, '4x');
  });
});

describe('messages over a WebSocket', () => {
  test('one packet', async () => {
    const session = await webSocketSession(echo);
    session.send('4hello');
    assert.equal(await session.next(), '4hello');
    session.close();
  });

  test('a binary message closes it with 1003', async () => {
    const session = await webSocketSession(echo);
    session.send(Buffer.from([1, 2, 3, 4]));
    assert.equal(await session.closed(), 1003);
  });

  for (const packet of ['abc', '', '9', 'bAQIDBA==', '2']) {
    test(`${JSON.stringify(packet)} closes it`, async () => {
      const session = await webSocketSession(echo);
      session.send(packet);
      assert.equal(await session.closed(), 1002);
    });
  }
});

describe('the heartbeat', () => {
  test('goes on over long polling while pings are answered', async () => {
    const session = await pollingSession(echo);
    for (let i = 0; i < 3; i++) {
      const polled = await session.poll();
      assert.deepEqual([polled.status, polled.text], [200, '2']);
      assert.equal((await session.post('3')).status, 200);
    }
  });

  test('ends a session that polls and does not answer', async () => {
    const session = await pollingSession(echo);
    const from = performance.now();
    assert.equal((await session.poll()).text, '2');
    assert.equal((await session.poll()).text, '1');
    assert.ok(performance.now() - from < INTERVAL + TIMEOUT + 200, `${performance.now() - from} ms`);
    await echo.line(new RegExp(`closed ${session.sid} ping timeout`));
    await expectGone(session);
  });

  test('ends a session that nobody polls for', async () => {
    const session = await pollingSession(echo);
    await echo.line(new RegExp(`closed ${session.sid} ping timeout`));
    await expectGone(session);
  });

  test('goes on over a WebSocket while pings are answered', async () => {
    const session = await webSocketSession(echo, { pings: true });
    for (let i = 0; i < 3; i++) {
      assert.equal(await session.next(), '2');
      session.send('3');
    }
    session.close();
  });

  test('pings at its time however much is said meanwhile', async () => {
    const session = await webSocketSession(echo, { pings: true });
    const from = performance.now();
    const talk = setInterval(() => session.send('4x'), 20);
    await until(() => session.packets.includes('2'), 'a ping');
    clearInterval(talk);
    assert.ok(performance.now() - from < INTERVAL + 250, `${performance.now() - from} ms`);
    session.close();
  });

  test('ends a WebSocket that does not answer, whatever else it says', async () => {
    const session = await webSocketSession(echo, { pings: true });
    const talk = setInterval(() => session.ws.readyState === 1 && session.send('4x'), 50);
    await session.closed();
    clearInterval(talk);
    await echo.line(new RegExp(`closed ${session.sid} ping timeout`));
  });
});

describe('closing', () => {
  test('by the client over long polling', async () => {
    const session = await pollingSession(echo);
    const [polled, posted] = await pollAndPost(session, '1');
    assert.deepEqual([posted.status, posted.text], [200, 'ok']);
    assert.deepEqual([polled.status, polled.text], [200, '6']);
    await expectGone(session);
    await echo.line(new RegExp(`closed ${session.sid} transport close`));
  });

  test('by the client over a WebSocket', async () => {
    const session = await webSocketSession(echo);
    session.send('1');
    assert.equal(await session.closed(), 1000);
    await echo.line(new RegExp(`closed ${session.sid} transport close`));
  });

  test('by the end of its WebSocket', async () => {
    const session = await webSocketSession(echo);
    session.ws.close();
    await echo.line(new RegExp(`closed ${session.sid} transport close`));
  });

  test('nothing behind a close packet counts', async () => {
    const session = await pollingSession(echo);
    assert.equal((await session.post('1', '4late', 'broken')).text, 'ok');
    await expectGone(session);
  });
});
