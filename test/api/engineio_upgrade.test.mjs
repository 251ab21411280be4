// From long polling to a WebSocket without losing, doubling or reordering a packet, and what becomes of
// attempts that come to nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { raw } from '../lib/client.mjs';
import { Packets, Polling, pollingSession, startEcho } from '../lib/echo.mjs';

let echo;
before(async () => { echo = await startEcho({ pingInterval: 2000, pingTimeout: 1000, upgradeTimeout: 300 }); });
after(() => echo.stop());

async function probed(session) {
  const ws = new Packets(echo, { sid: session.sid });
  await ws.opened();
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  return ws;
}

describe('the change to a WebSocket', () => {
  test('works, and the poll that waits ends with a noop', async () => {
    const session = await pollingSession(echo);
    const waiting = session.poll();
    const ws = await probed(session);
    assert.equal((await waiting).text, '6');
    ws.send('5', '4hello');
    assert.equal(await ws.next(), '4hello');
    ws.close();
  });

  test('a poll that comes after the probe ends at once, or brings what waits', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    assert.equal((await session.poll()).text, '6');
    await session.post('4waits');
    assert.equal((await session.poll()).text, '4waits');
    assert.equal((await session.poll()).text, '6');
    ws.close();
  });

  test('what waits when it changes comes through the WebSocket, in order, once', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    await session.post('4a', '4b');
    await session.post('4c');
    ws.send('5', '4d');
    const got = [await ws.next(), await ws.next(), await ws.next(), await ws.next()];
    assert.deepEqual(got, ['4a', '4b', '4c', '4d']);
    ws.close();
  });

  test('afterwards polls and posts with its sid are refused, and the session does not mind', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    ws.send('5', '4changed');
    assert.equal(await ws.next(), '4changed');
    for (const reply of [await session.poll(), await session.post('4late')]) {
      assert.deepEqual([reply.status, reply.json], [400, { code: 3, message: 'Bad request' }]);
    }
    ws.send('4hello');
    assert.equal(await ws.next(), '4hello');
    ws.close();
  });

  test('afterwards another WebSocket with its sid is closed, and the session does not mind', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    ws.send('5', '4changed');
    await ws.next();
    const other = new Packets(echo, { sid: session.sid });
    assert.equal(await other.closed(), 1000);
    assert.deepEqual(other.packets, []);
    ws.send('4hello');
    assert.equal(await ws.next(), '4hello');
    ws.close();
  });

  test('probe, change and message may come in one piece', async () => {
    const session = await pollingSession(echo);
    const ws = new Packets(echo, { sid: session.sid });
    await ws.opened();
    ws.send('2probe', '5', '4hello');
    assert.deepEqual([await ws.next(), await ws.next()], ['3probe', '4hello']);
    ws.close();
  });

  test('many packets both ways, while it changes, lose nothing and keep their order', async () => {
    const session = new Polling(echo, '/engine.io/');
    await session.open();
    const got = [];
    const poll = async () => {
      for (const packet of await session.packets()) {
        if (packet === '2') await session.post('3');
        else if (packet !== '6') got.push(packet);
      }
    };
    let n = 0;
    for (let i = 0; i < 20; i++) await session.post(`4${n++}`, `4${n++}`);
    await poll();
    for (let i = 0; i < 20; i++) await session.post(`4${n++}`);
    const ws = await probed(session);
    await poll();
    for (let i = 0; i < 20; i++) await session.post(`4${n++}`);
    ws.send('5');
    for (let i = 0; i < 20; i++) ws.send(`4${n++}`);
    while (got.length < n) got.push(await ws.next());
    assert.deepEqual(got, Array.from({ length: n }, (_, i) => `4${i}`));
    ws.close();
  });

  test('the heartbeat goes on where it was', async () => {
    const session = await pollingSession(echo);
    const ws = new Packets(echo, { sid: session.sid }, { pings: true });
    await ws.opened();
    ws.send('2probe', '5');
    assert.equal(await ws.next(), '3probe');
    assert.equal(await ws.next(), '2');
    await echo.line(new RegExp(`closed ${session.sid} ping timeout`));
  });
});

describe('an attempt that comes to nothing', () => {
  for (const packet of ['4hello', '2', '2other', 'abc', '3probe']) {
    test(`by ${packet}: its WebSocket is closed, and the session goes on polling`, async () => {
      const session = await pollingSession(echo);
      const ws = new Packets(echo, { sid: session.sid });
      await ws.opened();
      ws.send(packet);
      assert.equal(await ws.closed(), 1000);
      await session.post('4hello');
      assert.equal((await session.poll()).text, '4hello');
    });
  }

  test('by time', async () => {
    const session = await pollingSession(echo);
    const ws = new Packets(echo, { sid: session.sid });
    await ws.opened();
    assert.equal(await ws.closed(), 1000);
    await session.post('4hello');
    assert.equal((await session.poll()).text, '4hello');
  });

  test('by its end after the probe: polls wait again', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    ws.ws.close();
    await ws.closed();
    const polled = session.poll();
    await session.post('4hello');
    const first = (await polled).text;
    assert.equal(first === '6' ? (await session.poll()).text : first, '4hello');
    const again = await probed(session);      // and it may be tried again
    again.send('5', '4x');
    assert.equal(await again.next(), '4x');
    again.close();
  });

  test('because another one is being tried: that one goes on', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    const other = new Packets(echo, { sid: session.sid });
    assert.equal(await other.closed(), 1000);
    ws.send('5', '4hello');
    assert.equal(await ws.next(), '4hello');
    ws.close();
  });

  test('because the session ends: its WebSocket is closed as well', async () => {
    const session = await pollingSession(echo);
    const ws = await probed(session);
    await session.post('1');
    assert.equal(await ws.closed(), 1000);
  });

  test('because the sid is unknown: no upgrade', async () => {
    const c = await raw(echo);
    await c.send('GET /engine.io/?EIO=4&transport=websocket&sid=x HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n' +
      'Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
    const reply = await c.reply();
    assert.deepEqual([reply.status, JSON.parse(reply.text)], [400, { code: 1, message: 'Session ID unknown' }]);
    c.close();
  });
});
