// The bounds of Engine.IO sessions: sizes, how much waits, how fast, how many; and who reaches one harms
// nobody else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, raw } from '../lib/client.mjs';
import { Packets, Polling, pollingSession, socketIoConnection, startEcho, webSocketSession } from '../lib/echo.mjs';
import { until } from '../lib/wait.mjs';

let echo;
before(async () => { echo = await startEcho({ pingInterval: 5000, pingTimeout: 5000, connectTimeout: 60000 }); });
after(() => echo.stop());

const polling = async (server = echo) => {
  const session = await pollingSession(server, '/socket.io/');
  await session.post('40');
  await session.poll();
  return session;
};

describe('sizes', () => {
  test('a post of 1,000,000 bytes is taken, one more is 413 and harms nothing', async () => {
    const session = await pollingSession(echo);
    const tooBig = await session.post(`4${'x'.repeat(1_000_000)}`);
    assert.equal(tooBig.status, 413);
    assert.equal((await session.post(`4${'x'.repeat(250_000)}`, ...Array(3).fill('3'.repeat(200_000)))).text, 'ok');
    assert.equal((await session.poll()).text, `4${'x'.repeat(250_000)}`);
    const event = `42["drop","${'y'.repeat(1_000_000 - 11)}"]`;
    assert.equal(event.length, 1_000_000 + 2);
    const member = await polling();
    assert.equal((await member.post(`42["drop","${'y'.repeat(1_000_000 - 13)}"]`)).text, 'ok');
  });

  test('a WebSocket message of 64 KiB is taken, a bigger one closes with 1009', async () => {
    const session = await webSocketSession(echo);
    const most = `4${'x'.repeat(65535)}`;
    session.send(most);
    assert.equal(await session.next(), most);
    session.send(`${most}x`);
    assert.equal(await session.closed(), 1009);
  });

  test('a message may come in pieces', async () => {
    const session = await webSocketSession(echo);
    session.ws.send('4he', { fin: false });
    session.ws.send('llo', { fin: true });
    assert.equal(await session.next(), '4hello');
    session.close();
  });
});

describe('how much waits', () => {
  test('a session that nobody polls for ends when 256 KiB wait', async () => {
    const session = await polling();
    const other = await polling();
    assert.equal((await session.post('42["flood",250,1000]')).status, 200);
    const reply = await session.post('42["flood",20,1000]');
    assert.equal(reply.status, 400);
    await echo.line(/disconnected \S+ too slow/);
    assert.equal((await session.poll()).status, 400);
    assert.equal((await other.post('42["message",1]')).status, 200);
    assert.equal((await other.poll()).text, '42["message-back",1]');
  });

  test('what waits comes in one payload', async () => {
    const session = await polling();
    await session.post('42["flood",250,1000]');
    const packets = await session.packets();
    assert.equal(packets.length, 250);
    assert.ok(packets.every((packet) => packet === `42["drop","${'x'.repeat(1000)}"]`));
    assert.equal(await echo.metric('tally_engineio_waiting_bytes'), 0);
  });

  test('a WebSocket that does not read is closed, and nobody else notices', async () => {
    const slow = await socketIoConnection(echo);
    const fast = await socketIoConnection(echo);
    slow.ws._socket.pause();
    for (let i = 0; i < 100; i++) slow.send('42["flood",100,1000]');
    await echo.line(/disconnected \S+ too slow/);
    fast.send('42["message",1]');
    assert.equal(await fast.next(), '42["message-back",1]');
    slow.close();
    fast.close();
  });
});

test('who sends more than may be sent for long is closed', async () => {
  const strict = await startEcho({ messagesPerSecond: 10, pingInterval: 5000, pingTimeout: 5000 });
  const session = await pollingSession(strict);
  assert.equal((await session.post(...Array(40).fill('4x'))).status, 200);
  assert.equal((await session.post(...Array(40).fill('4x'))).status, 400);
  await strict.line(new RegExp(`closed ${session.sid} too many messages`));
  const ws = await webSocketSession(strict);
  ws.send(...Array(80).fill('4x'));
  assert.equal(await ws.closed(), 1008);
  await strict.stop();
});

test('beyond the number of sessions handshakes are 503, until one has gone', async () => {
  const small = await startEcho({ sessionsMax: 2, pingInterval: 5000, pingTimeout: 5000 });
  const first = await pollingSession(small);
  const second = await webSocketSession(small);
  const third = await api(small).get('/engine.io/?EIO=4&transport=polling');
  assert.deepEqual([third.status, third.headers['retry-after']], [503, '5']);
  const ws = new Packets(small);
  await ws.closed();
  await until(() => ws.refused, 'the answer');
  assert.equal(ws.refused.status, 503);
  await first.post('1');
  await until(async () => (await api(small).get('/engine.io/?EIO=4&transport=polling')).status === 200, 'room for one');
  second.close();
  await small.stop();
});

test('SIGTERM ends polls and WebSockets so that clients come back, at once', async () => {
  const leaving = await startEcho({ pingInterval: 25000, pingTimeout: 20000 });
  const session = new Polling(leaving);
  await session.open();
  const c = await raw(leaving);
  await c.send('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n');
  await c.reply();
  await c.send(`GET ${session.url()} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const ws = await webSocketSession(leaving);
  const from = performance.now();
  const stopped = leaving.stop();
  const reply = await c.reply();
  assert.deepEqual([reply.status, reply.text, reply.headers.connection], [200, '1', 'close']);
  assert.equal(await ws.closed(), 1001);
  await stopped;
  assert.ok(performance.now() - from < 2500, `${performance.now() - from} ms`);
});
