// Socket.IO at tallyd's own door: who comes in with which token, what is refused, CORS as everywhere, TLS, and a
// server that goes away. The protocols themselves are tested on the echo server.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { api } from '../lib/client.mjs';
import { Polling, webSocketSession } from '../lib/echo.mjs';
import { register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { selfSigned } from '../lib/tls.mjs';
import { until, within } from '../lib/wait.mjs';

let server;
let ada;
before(async () => {
  server = await startServer();
  ada = await register(server, { name: 'Ada' });
});
after(() => server.stop());

const clients = new Set();
afterEach(() => { for (const client of clients) client.disconnect(); clients.clear(); });

const next = (emitter, event) => within(new Promise((resolve) => { emitter.once(event, resolve); }), 5000, event);
const where = '/socket.io/';

function client(namespace, options) {
  const socket = io(`${server.url}${namespace}`, { forceNew: true, reconnectionDelay: 10, ...options });
  clients.add(socket);
  return socket;
}

describe('the handshake', () => {
  test('says what is promised, and its sid names the process', async () => {
    const session = await new Polling(server, where).open();
    assert.match(session.sid, /^00[\w-]{24}$/);
    assert.deepEqual({ ...session.handshake, sid: '' },
      { sid: '', upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1_000_000 });
    const socket = await webSocketSession(server, { where });
    assert.deepEqual(socket.handshake.upgrades, []);
    socket.close();
  });

  test('refuses older protocols, other methods and transports as the protocol says', async () => {
    for (const [method, query, code, message] of [
      ['GET', 'EIO=3&transport=polling', 5, 'Unsupported protocol version'],
      ['GET', 'transport=polling', 5, 'Unsupported protocol version'],
      ['GET', 'EIO=4', 0, 'Transport unknown'],
      ['GET', 'EIO=4&transport=polling&sid=x', 1, 'Session ID unknown'],
      ['POST', 'EIO=4&transport=polling', 2, 'Bad handshake method'],
      ['PUT', 'EIO=4&transport=polling', 2, 'Bad handshake method'],
      ['PATCH', 'EIO=4&transport=polling', 2, 'Bad handshake method'],
      ['DELETE', 'EIO=4&transport=polling', 2, 'Bad handshake method'],
      ['GET', 'EIO=4&transport=websocket', 3, 'Bad request'],
    ]) {
      const reply = await api(server).request(method, `${where}?${query}`);
      assert.deepEqual([reply.status, reply.json], [400, { code, message }], `${method} ${query}`);
    }
  });

  test('may come from any page, preflight included', async () => {
    const headers = { origin: 'https://elsewhere.example' };
    const reply = await api(server).get(`${where}?EIO=4&transport=polling`, { headers });
    assert.equal(reply.headers['access-control-allow-origin'], '*');
    const wish = { 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' };
    const asked = await api(server).options(where, { headers: { ...headers, ...wish } });
    assert.equal(asked.status, 204);
    assert.match(asked.headers['access-control-allow-methods'], /GET.*POST/);
    assert.match(asked.headers['access-control-allow-headers'], /Authorization/);
  });
});

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  describe(`over ${transports.join(', then ')}`, () => {
    test('without a token one comes in, to both namespaces and no other', async () => {
      for (const namespace of ['/', '/rewards']) {
        const socket = client(namespace, { transports });
        await next(socket, 'connect');
        assert.match(socket.id, /^[\w-]{20}$/);
      }
      const stranger = client('/nowhere', { transports });
      assert.equal((await next(stranger, 'connect_error')).message, 'Invalid namespace');
    });

    test('with a good token, as auth or as Authorization', async () => {
      await next(client('/', { transports, auth: { token: ada.token } }), 'connect');
      const extraHeaders = { authorization: `Bearer ${ada.token}` };
      await next(client('/rewards', { transports, extraHeaders }), 'connect');
    });

    test('with a bad token one does not', async () => {
      for (const options of [
        { auth: { token: 'x' } }, { auth: { token: 17 } }, { auth: { token: `${ada.token}x` } },
        { extraHeaders: { authorization: 'Bearer x' } }, { extraHeaders: { authorization: 'Basic eDp4' } },
      ]) {
        const socket = client('/', { transports, ...options });
        assert.equal((await next(socket, 'connect_error')).message, 'Unauthorized', JSON.stringify(options));
        socket.disconnect();
      }
    });
  });
}

for (const [what, end] of Object.entries({
  'deactivates his account': (bob) => bob.api.post('/deactivate', { body: { reason: 'No more use for it' } }),
  'changes his password': (bob) => bob.api.post('/update-pwd',
    { body: { old_password: bob.password, new_password: 'battery staple' } }),
  'logs off': (bob) => bob.api.get('/logoff'),
})) {
  for (const transports of [['polling'], ['websocket']]) {
    test(`an open socket of who ${what} ends over ${transports}, and the client does not come back`, async () => {
      const bob = await register(server, { name: 'Bob' });
      const socket = client('/', { transports, auth: { token: bob.token } });
      const stays = client('/', { transports, auth: { token: ada.token } });
      await Promise.all([next(socket, 'connect'), next(stays, 'connect')]);
      const gone = next(socket, 'disconnect');
      const reply = await end(bob);
      assert.equal(reply.status, 200, reply.text);
      await gone;
      socket.connect();
      assert.equal((await next(socket, 'connect_error')).message, 'Unauthorized');
      assert.ok(stays.connected, 'who has nothing to do with it stays');
    });
  }
}

test('a revoked token is a bad one', async () => {
  const bob = await register(server, { name: 'Bob' });
  await next(client('/', { auth: { token: bob.token } }), 'connect');
  assert.equal((await api(server, { token: bob.token }).post('/api/auth/logout')).status, 200);
  assert.equal((await next(client('/', { auth: { token: bob.token } }), 'connect_error')).message, 'Unauthorized');
});

test('a poll that waits is no request under way, nor in the durations', async () => {
  const session = await new Polling(server, where).open();
  const waiting = session.poll({ timeout: 60_000 });
  const metric = async (name) => {
    const { text } = await api(server).get('/metrics');
    return Number(text.split('\n').find((line) => line.startsWith(name)).split(' ').pop());
  };
  await until(async () => await metric('tally_engineio_sessions{transport="polling"}') >= 1, 'the session to count');
  await session.post('1');
  assert.equal((await waiting).text, '6');
});

test('over TLS likewise', async () => {
  const own = await startServer({ env: (await selfSigned()).env });
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    const socket = io(own.url, { forceNew: true, transports, rejectUnauthorized: false });
    clients.add(socket);
    await next(socket, 'connect');
    const last = transports.at(-1);
    await until(() => socket.io.engine.transport.name === last, `the transport to be ${last}`);
    socket.disconnect();
  }
  await own.stop();
});

test('a stopping server lets stock clients go at once, and they come back when it does', async () => {
  const own = await startServer();
  const sockets = [['polling'], ['websocket']].map((transports) => {
    const socket = io(own.url, { forceNew: true, transports, reconnectionDelay: 50, reconnectionDelayMax: 100 });
    clients.add(socket);
    return socket;
  });
  await Promise.all(sockets.map((socket) => next(socket, 'connect')));
  const gone = sockets.map((socket) => next(socket, 'disconnect'));
  const from = performance.now();
  await own.stop();
  for (const why of await Promise.all(gone)) assert.match(why, /^transport (close|error)$/);
  assert.ok(performance.now() - from < 5000, `${performance.now() - from} ms`);
  await own.start();
  await until(() => sockets.every((socket) => socket.connected), 'both clients to have come back', { timeout: 20_000 });
  await own.stop();
});
