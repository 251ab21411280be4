// The Socket.IO protocol, version 5, packet by packet: what its public test suite asks of a server, and
// what it leaves open. Packets with binary attachments are not taken, which must be said clearly.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Polling, socketIoConnection, startEcho, webSocketSession } from '../lib/echo.mjs';
import { never } from '../lib/wait.mjs';

let echo;
before(async () => { echo = await startEcho(); });
after(() => echo.stop());

const open = () => webSocketSession(echo, { where: '/socket.io/' });
const sidOf = (packet) => /"sid":"([\w-]{20})"/.exec(packet)[1];

async function expectAnswer(packet, prefix, auth) {
  const session = await open();
  session.send(packet);
  const answer = await session.next();
  assert.ok(answer.startsWith(prefix), answer);
  const handshake = JSON.parse(answer.slice(prefix.length));
  assert.deepEqual(Object.keys(handshake), ['sid', 'pid']);      // pid: the handler's further member
  assert.match(handshake.sid, /^[\w-]{20}$/);
  assert.notEqual(handshake.sid, session.sid);
  assert.equal(await session.next(), auth);
  session.close();
}

describe('connecting', () => {
  test('to the main namespace', () => expectAnswer('40', '40', '42["auth",{}]'));
  test('with a payload', () => expectAnswer('40{"token":"123"}', '40', '42["auth",{"token":"123"}]'));
  test('to another namespace', () => expectAnswer('40/custom,', '40/custom,', '42/custom,["auth",{}]'));
  test('to another namespace, without the comma',
    () => expectAnswer('40/custom', '40/custom,', '42/custom,["auth",{}]'));
  test('to another namespace with a payload',
    () => expectAnswer('40/custom,{"token":"abc"}', '40/custom,', '42/custom,["auth",{"token":"abc"}]'));
  test('with an answer that takes a while',
    () => expectAnswer('40{"token":"slow"}', '40', '42["auth",{"token":"slow"}]'));

  test('to an unknown namespace is refused, and may be followed by another attempt', async () => {
    const session = await open();
    session.send('40/random', '40/Custom,{"a":1}', '40');
    assert.equal(await session.next(), '44/random,{"message":"Invalid namespace"}');
    assert.equal(await session.next(), '44/Custom,{"message":"Invalid namespace"}');
    assert.match(await session.next(), /^40\{/);
    session.close();
  });

  test('can be refused by the handler, and tried again', async () => {
    const session = await open();
    session.send('40{"token":"bad"}');
    assert.equal(await session.next(), '44{"message":"Unauthorized","data":{"retry":false}}');
    session.send('40{"token":"good"}');
    assert.match(await session.next(), /^40\{/);
    session.close();
  });

  test('to both namespaces of one connection, with an id each', async () => {
    const session = await socketIoConnection(echo);
    session.send('40/custom,');
    const answer = await session.next();
    assert.notEqual(sidOf(answer), sidOf(session.packets[1]));
    session.close();
  });

  const long = `40/${'x'.repeat(200)},`;
  for (const packet of ['4abc', '40[]', '40"x"', '40{"a":', '40/custom,[1]', '40{"a":1,"a":2}', long]) {
    test(`${packet.slice(0, 30)} closes the connection`, async () => {
      const session = await open();
      session.send(packet);
      assert.equal(await session.closed(), 1002);
    });
  }

  for (const packet of ['42["message"]', '41', '43[]', '44"x"', '42/custom,["message"]', '42/nowhere,["message"]']) {
    test(`${packet} before connecting closes the connection`, async () => {
      const session = await open();
      session.send(packet);
      assert.equal(await session.closed(), 1000);
    });
  }

  test('twice to one namespace closes the connection', async () => {
    const session = await socketIoConnection(echo);
    session.send('40');
    await session.closed();
    assert.deepEqual(session.packets.slice(3), []);
  });

  test('must not be left out: a connection without sockets is closed, though it answers pings', async () => {
    const from = performance.now();
    const session = await open();
    await session.closed();
    assert.ok(performance.now() - from > 900, `${performance.now() - from} ms`);
  });
});

describe('disconnecting', () => {
  test('from the main namespace leaves the connection open', async () => {
    const session = await socketIoConnection(echo, { pings: true });
    session.send('41');
    assert.equal(await session.next(), '2');
    await echo.line(/disconnected \S+ client namespace disconnect/);
    session.close();
  });

  test('from another namespace leaves the main one alone', async () => {
    const session = await socketIoConnection(echo);
    session.send('40/custom');
    await session.next();
    await session.next();
    session.send('41/custom', '42["message","message to main namespace"]');
    assert.equal(await session.next(), '42["message-back","message to main namespace"]');
    session.close();
  });

  test('what crosses with it on the way is passed over, and one may come back', async () => {
    const session = await socketIoConnection(echo);
    session.send('41', '42["message","too late"]', '43[1]', '41', '40');
    const answer = await session.next();
    assert.match(answer, /^40\{/);
    assert.notEqual(sidOf(answer), sidOf(session.packets[1]));
    session.close();
  });

  test('by the server', async () => {
    const session = await socketIoConnection(echo);
    session.send('42["leave"]', '42["message","too late"]');
    assert.equal(await session.next(), '41');
    await echo.line(/disconnected \S+ server namespace disconnect/);
    session.send('40/custom,');
    await session.next();
    await session.next();
    session.send('42/custom,["leave"]');
    assert.equal(await session.next(), '41/custom,');
    session.close();
  });

  test('by the end of the connection, either side\'s', async () => {
    const first = await socketIoConnection(echo);
    first.send('42["close"]');
    assert.equal(await first.closed(), 1000);
    await echo.line(/disconnected \S+ forced server close/);
    const second = await socketIoConnection(echo);
    second.send('1');
    await echo.line(/disconnected \S+ transport close/);
  });
});

describe('messages', () => {
  const exchange = async (packet, answer) => {
    const session = await socketIoConnection(echo);
    session.send(packet);
    assert.equal(await session.next(), answer);
    session.close();
  };

  test('with plain arguments',
    () => exchange('42["message",1,"2",{"3":[true]}]', '42["message-back",1,"2",{"3":[true]}]'));
  test('without arguments', () => exchange('42["message"]', '42["message-back"]'));
  test('with text of all kinds',
    () => exchange('42["message","a\\"],b\\u001e€𝄞"]', '42["message-back","a\\"],b\\u001e€𝄞"]'));
  test('whose name is escaped', () => exchange('42["mess\\u0061ge",1]', '42["message-back",1]'));
  test('with an ack', () => exchange('42456["message-with-ack",1,"2",{"3":[false]}]', '43456[1,"2",{"3":[false]}]'));
  test('with an ack and no arguments', () => exchange('420["message-with-ack"]', '430[]'));
  test('with blanks in them', () => exchange('42[ "message" , 1 ]', '42["message-back",1]'));

  test('in another namespace, with an ack', async () => {
    const session = await socketIoConnection(echo);
    session.send('40/custom,');
    await session.next();
    await session.next();
    session.send('42/custom,7["message-with-ack",1]', '42/custom,["message","x"]');
    assert.equal(await session.next(), '43/custom,7[1]');
    assert.equal(await session.next(), '42/custom,["message-back","x"]');
    session.close();
  });

  test('that nobody understands are passed over', async () => {
    const session = await socketIoConnection(echo);
    session.send('42["no such event",1]', '42[17]', '4399["nobody asked"]', '43[]', '42["message","next"]');
    assert.equal(await session.next(), '42["message-back","next"]');
    session.close();
  });

  test('that ask the client: its answer comes back, a late one is nothing', async () => {
    const session = await socketIoConnection(echo);
    session.send('42["ask","how many?"]');
    assert.equal(await session.next(), '420["question","how many?"]');
    session.send('430[7,"days"]');
    assert.equal(await session.next(), '42["answered",[7,"days"]]');
    session.send('42["ask"]');
    assert.equal(await session.next(), '421["question"]');
    assert.equal(await session.next(), '42["answered","timeout"]');
    session.send('431["late"]');
    await never(() => session.packets.length > session.at, 'an answer to what is late');
    session.close();
  });

  test('that ask a client who leaves: the server hears of it', async () => {
    const session = await socketIoConnection(echo);
    session.send('42["ask"]');
    await session.next();
    session.close();
    await echo.line(/call closed/);
  });

  for (const [what, packet] of [
    ['unknown packet type', '4abc'], ['unknown packet type', '47["x"]'],
    ['no array', '42{}'], ['an empty array', '42[]'],
    ['no data', '42'], ['a name that is no text', '42[{}]'], ['a reserved name', '42["disconnect"]'],
    ['a bad ack id', '42abc["message-with-ack",1,"2",{"3":[false]}]'],
    ['a huge ack id', '421234567890123456["message"]'],
    ['broken JSON', '42["message"'], ['an answer that is no array', '431{}'], ['a payload of a disconnect', '41{}'],
    ['JSON behind JSON', '42["message"]["message"]'], ['a lone surrogate', '42["message","\\ud800"]'],
    ['binary attachments', '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'],
    ['binary attachments and an ack', '451-789["message-with-ack",{"_placeholder":true,"num":0}]'],
    ['an answer with binary attachments', '461-0[{"_placeholder":true,"num":0}]'],
  ]) {
    test(`${what} (${packet.slice(0, 24)}) closes the connection`, async () => {
      const session = await socketIoConnection(echo);
      session.send(packet);
      assert.equal(await session.closed(), 1002);
      await echo.line(/disconnected \S+ parse error/);
    });
  }

  test('a binary message without announcement closes the connection', async () => {
    const session = await socketIoConnection(echo);
    session.send(Buffer.from([1, 2, 3]));
    assert.equal(await session.closed(), 1003);
  });
});

describe('over long polling', () => {
  const connected = async () => {
    const session = new Polling(echo, '/socket.io/');
    await session.open();
    await session.post('40{"token":"x"}');
    const [answer, auth] = await session.packets();
    assert.match(answer, /^40\{"sid":/);
    assert.equal(auth, '42["auth",{"token":"x"}]');
    return session;
  };

  test('the same, several in one payload', async () => {
    const session = await connected();
    await session.post('42["message",1]', '427["message-with-ack",2]');
    assert.deepEqual(await session.packets(), ['42["message-back",1]', '437[2]']);
  });

  test('a broken packet closes the session, and the next poll hears what was said before', async () => {
    const session = await connected();
    const posted = await session.post('42["message",1]', '42{}');
    assert.equal(posted.status, 400);
    assert.deepEqual(await session.packets(), ['42["message-back",1]', '1']);
    assert.equal((await session.poll()).status, 400);
  });

  test('the server closes: the next poll hears of it', async () => {
    const session = await connected();
    await session.post('42["message","last"]', '42["close"]', '42["message","too late"]');
    assert.deepEqual(await session.packets(), ['42["message-back","last"]', '1']);
    await echo.line(/disconnected \S+ forced server close/);
    assert.equal((await session.poll()).status, 400);
  });
});

describe('one event for many', () => {
  test('comes to every socket of its namespace, over either transport, once', async () => {
    const polling = new Polling(echo, '/socket.io/');
    await polling.open();
    await polling.post('40', '40/custom,');
    await polling.packets();
    const sockets = [];
    for (let i = 0; i < 3; i++) sockets.push(await socketIoConnection(echo));
    sockets[0].send('42["publish",{"n":1}]', '42["publish",{"n":2}]');
    for (const socket of sockets) {
      assert.deepEqual([await socket.next(), await socket.next()],
        ['42["published",{"n":1}]', '42["published",{"n":2}]']);
    }
    const got = await polling.packets();
    assert.deepEqual(got.filter((packet) => packet !== '2'), ['42["published",{"n":1}]', '42["published",{"n":2}]']);
    for (const socket of sockets) socket.close();
  });
});
