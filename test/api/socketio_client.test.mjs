// socket.io-client as it comes from npm, over each transport: connect, events, acknowledgements both ways,
// namespaces, disconnects by either side, and coming back by itself.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { io, Manager } from 'socket.io-client';
import { startEcho } from '../lib/echo.mjs';
import { until, within } from '../lib/wait.mjs';

let echo;
before(async () => { echo = await startEcho({ pingInterval: 500, pingTimeout: 500, connectTimeout: 2000 }); });
after(() => echo.stop());

const next = (emitter, event) => within(new Promise((resolve) => { emitter.once(event, resolve); }), 5000, event);

// A client that nobody stops comes back for ever.
const clients = new Set();
const track = (client) => { clients.add(client); return client; };
afterEach(() => { for (const client of clients) client.disconnect(); clients.clear(); });

for (const [name, transports] of [
  ['polling alone', ['polling']], ['WebSocket alone', ['websocket']], ['default', undefined],
]) {
  const common = { ...(transports && { transports }), forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 50 };
  const connect = (where = '/', options = {}) => track(io(`${echo.url}${where}`, { ...common, ...options }));
  const connected = async (where, options) => {
    const socket = connect(where, options);
    await next(socket, 'connect');
    return socket;
  };

  describe(name, () => {
    test('connects, and says with what', async () => {
      const socket = connect('/', { auth: { token: 'x' } });
      const auth = next(socket, 'auth');
      await next(socket, 'connect');
      assert.match(socket.id, /^[\w-]{20}$/);
      assert.deepEqual(await auth, { token: 'x' });
      const last = transports?.at(-1) ?? 'websocket';
      await until(() => socket.io.engine.transport.name === last, `the transport to be ${last}`);
    });

    test('sends the handshake\'s headers', async () => {
      const socket = await connected('/', { extraHeaders: { authorization: 'Bearer abc' } });
      assert.equal(await socket.timeout(2000).emitWithAck('who'), 'Bearer abc');
    });

    test('events keep their order while the transport changes', async () => {
      const socket = connect();
      const got = [];
      socket.on('message-back', (n) => got.push(n));
      for (let i = 0; i < 300; i++) socket.emit('message', i);
      for (let i = 300; i < 600; i += 50) {
        await until(() => got.length > i - 300, `${i - 300} events`);
        for (let j = i; j < i + 50; j++) socket.emit('message', j);
      }
      await until(() => got.length >= 600, 'all events to come back');
      assert.deepEqual(got, Array.from({ length: 600 }, (_, i) => i));
    });

    test('arguments of all kinds come back as they were', async () => {
      const socket = await connected();
      const sent = [1, -0.5, 'text "quoted" \u001e €𝄞', null, true, { a: [{}, [], ''] }];
      const got = new Promise((resolve) => { socket.once('message-back', (...args) => resolve(args)); });
      socket.emit('message', ...sent);
      assert.deepEqual(await got, sent);
    });

    test('acknowledgements both ways', async () => {
      const socket = await connected();
      assert.deepEqual(await socket.timeout(2000).emitWithAck('message-with-ack', { n: 1 }), { n: 1 });
      socket.on('question', (what, answer) => answer(`${what}: 42`));
      const told = next(socket, 'answered');
      socket.emit('ask', 'how many');
      assert.deepEqual(await told, ['how many: 42']);
    });

    test('two namespaces over one connection', async () => {
      const manager = new Manager(echo.url, common);
      const main = track(manager.socket('/'));
      const custom = track(manager.socket('/custom'));
      await Promise.all([next(main, 'connect'), next(custom, 'connect')]);
      assert.notEqual(custom.id, main.id);
      assert.equal(await custom.timeout(2000).emitWithAck('message-with-ack', 'c'), 'c');
      custom.disconnect();
      assert.equal(await main.timeout(2000).emitWithAck('message-with-ack', 'm'), 'm');
    });

    test('connect errors', async () => {
      const stranger = connect('/nowhere');
      assert.equal((await next(stranger, 'connect_error')).message, 'Invalid namespace');
      stranger.disconnect();
      const refused = connect('/', { auth: { token: 'bad' } });
      const error = await next(refused, 'connect_error');
      assert.deepEqual([error.message, error.data], ['Unauthorized', { retry: false }]);
    });

    test('stays connected over several heartbeats', async () => {
      const socket = await connected();
      const gone = [];
      socket.on('disconnect', (why) => gone.push(why));
      let pings = 0;
      socket.io.on('ping', () => { pings++; });
      await until(() => pings >= 3, 'three pings');
      assert.deepEqual(gone, []);
    });

    test('leaves, and the server knows', async () => {
      const socket = await connected();
      const { id } = socket;
      socket.disconnect();
      await echo.line(new RegExp(`disconnected ${id} (client namespace disconnect|transport close)`));
    });

    test('is sent away, and stays away', async () => {
      const socket = await connected();
      const why = next(socket, 'disconnect');
      socket.emit('leave');
      assert.equal(await why, 'io server disconnect');
      assert.equal(socket.active, false);
    });

    test('loses its connection, and comes back by itself', async () => {
      const socket = await connected();
      const { id } = socket;
      const why = next(socket, 'disconnect');
      const again = next(socket, 'connect');
      socket.emit('close');
      assert.equal(await why, 'transport close');
      await again;
      assert.notEqual(socket.id, id);
    });

    test('comes back after the server was replaced', async () => {
      const first = await startEcho({ pingInterval: 500, pingTimeout: 500 });
      const socket = track(io(first.url, common));
      await next(socket, 'connect');
      const why = next(socket, 'disconnect');
      const drained = first.stop();
      assert.match(await why, /^transport (close|error)$/);
      await drained;
      const second = await startEcho({ port: new URL(first.url).port });
      await until(() => socket.connected, 'the client to have come back');
      assert.equal(await socket.timeout(2000).emitWithAck('message-with-ack', 1), 1);
      socket.disconnect();
      await second.stop();
    });
  });
}
