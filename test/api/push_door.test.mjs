// Coming in by GET /ws: every way to say who one is, the ways that are refused, choosing topics, and
// what the protocol answers (70-events, "The server's own WebSocket").
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { raw, socket } from '../lib/client.mjs';
import { fund, register, systemUser, transfer } from '../lib/people.mjs';
import { eventsOf, listen, settledCustomer } from '../lib/listen.mjs';
import { startServer } from '../lib/server.mjs';

const OWN = 'https://tally.example';
const OWN_TOPICS = ['points', 'payments', 'accounts'];

let server;
let system;
let ada;
let bob;
const keys = {};
before(async () => {
  server = await startServer({ env: { TALLY_PUBLIC_URL: OWN, ORIGIN_CORS: 'https://app.example.com' } });
  system = await systemUser(server);
  ada = await settledCustomer(server, system, { name: 'Ada' });
  bob = await settledCustomer(server, system, { name: 'Bob' });
  for (const scope of ['rewards', 'userstate', 'points']) {
    const said = await server.command('apikey', 'add', '--holder', scope, '--scope', scope);
    keys[scope] = `${scope}:${said.trim().split(/\s+/).pop()}`;
  }
});
after(() => server.stop());

const cookie = (token, origin) => ({ headers: { cookie: `a=b; token=${token}`, ...(origin && { origin }) } });
const basic = (key) => ({ headers: { authorization: `Basic ${Buffer.from(key).toString('base64')}` } });
const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'));

async function expectHello(ws, userId) {
  const hello = await ws.next('hello');
  assert.deepEqual({ ...hello, cursor: typeof hello.cursor }, {
    type: 'hello', version: 1, userId, cursor: userId ? 'string' : 'object', resumed: null,
  });
  await ws.close();
}

async function expectClosed(ws, code) {
  assert.equal((await ws.closed()).code, code);
  assert.deepEqual(ws.frames, []);
}

describe('a token is taken', () => {
  test('as Authorization: Bearer', async () => expectHello(await socket(server, { token: ada.token }), ada.id));
  test('as a cookie, from a page of ours',
    async () => expectHello(await socket(server, cookie(ada.token, OWN)), ada.id));
  test('as a cookie, from a page that is allowed by name',
    async () => expectHello(await socket(server, cookie(ada.token, 'https://app.example.com')), ada.id));
  test('as a cookie, from no page', async () => expectHello(await socket(server, cookie(ada.token)), ada.id));

  test('as a subprotocol, which the answer leaves out', async () => {
    const headers = { origin: 'https://elsewhere.example' };
    const ws = await socket(server, { protocols: ['tally.v1', `bearer.${ada.token}`], headers });
    assert.equal(ws.ws.protocol, 'tally.v1');
    await expectHello(ws, ada.id);
  });

  test('as an auth frame', async () => {
    const ws = await socket(server);
    assert.equal((await ws.next('hello')).userId, null);
    ws.send({ type: 'auth', token: ada.token });
    await expectHello(ws, ada.id);
  });

  test('as an auth frame of somebody else, whose events come from then on', async () => {
    const ws = await listen(server, ada);
    ws.send({ type: 'auth', token: bob.token });
    assert.equal((await ws.next('hello')).userId, bob.id);
    const { status } = await transfer(ada, ada.account, bob.account, 1);
    assert.equal(status, 200);
    assert.equal((await ws.next('balance-updated')).stream, bob.account._id);
    assert.equal(eventsOf(ws).length, 1);
    await ws.close();
  });
});

describe('a Basic key is taken', () => {
  test('as Authorization: Basic', async () => expectHello(await socket(server, basic(keys.rewards)), null));

  test('as an auth frame', async () => {
    const ws = await socket(server);
    await ws.next('hello');
    ws.send({ type: 'auth', key: keys.rewards });
    assert.equal((await ws.next('hello')).userId, null);
    ws.send({ type: 'subscribe', topics: ['rewards'] });
    assert.deepEqual((await ws.next('subscribed')).topics, ['rewards']);
    await ws.close();
  });
});

describe('nobody comes in', () => {
  const forged = () => `${ada.token.split('.').slice(0, 2).join('.')}.${bob.token.split('.')[2]}`;
  const none = () => `${Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')}.${ada.token.split('.')[1]}.`;
  const bad = {
    garbage: () => 'garbage', 'another\'s signature': forged, 'no algorithm': none, 'an empty one': () => '',
  };
  for (const [what, make] of Object.entries(bad)) {
    const ways = {
      'as Bearer': () => socket(server, { headers: { authorization: `Bearer ${make()}` } }),
      'as a cookie': () => socket(server, cookie(make(), OWN)),
      'as a subprotocol': () => socket(server, { protocols: ['tally.v1', `bearer.${make()}`] }),
    };
    for (const [way, connect] of Object.entries(ways)) {
      test(`with ${what} ${way}`, async () => expectClosed(await connect(), 4401));
    }
    test(`with ${what} in an auth frame`, async () => {
      const ws = await socket(server);
      await ws.next('hello');
      ws.send({ type: 'auth', token: make() });
      assert.equal((await ws.closed()).code, 4401);
    });
  }
  test('with an expired token', async () => {
    const token = (await server.command('token', '--email', ada.email, '--ttl', '1')).trim().split(/\s+/).pop();
    const alive = await socket(server, { token });
    await alive.next('hello');
    await alive.closed();
    await expectClosed(await socket(server, { token }), 4401);
  });
  test('with an unknown key', async () => expectClosed(await socket(server, basic('rewards:nonsense')), 4401));
  test('with another scheme',
    async () => expectClosed(await socket(server, { headers: { authorization: 'Digest x' } }), 4401));
  test('with a bad token beside a good cookie', async () => expectClosed(
    await socket(server, { headers: { authorization: 'Bearer x', cookie: `token=${ada.token}` } }), 4401));

  const strangers = ['https://evil.example', 'null', 'http://tally.example', 'https://app.example.com.evil.example'];
  for (const origin of strangers) {
    test(`with a cookie from the page ${origin}`, async () => {
      await assert.rejects(socket(server, cookie(ada.token, origin)), (error) => {
        assert.equal(error.status, 403);
        assert.equal(JSON.parse(error.text).message, 'Origin not allowed');
        return true;
      });
    });
  }

  test('with a token in the URL', async () => {
    for (const path of [`/ws?token=${ada.token}`, `/ws?access_token=${ada.token}`, `/ws?auth=${ada.token}`]) {
      await expectHello(await socket(server, { path }), null);
    }
  });

  test('who does not speak WebSocket', async () => {
    const reply = await ada.api.get('/ws');
    assert.equal(reply.status, 426);
    assert.equal(reply.headers.upgrade, 'websocket');
    for (const [version, key, status] of [[8, 'dGhlIHNhbXBsZSBub25jZQ==', 426], [13, 'short', 400], [13, '', 400]]) {
      const connection = await raw(server);
      await connection.send('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
        `Sec-WebSocket-Version: ${version}\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
      assert.equal((await connection.reply()).status, status);
      connection.close();
    }
  });
});

describe('topics', () => {
  async function chosen(ws, topics, verb = 'subscribe') {
    const from = ws.frames.length;
    ws.send({ type: verb, topics });
    const answer = await ws.next(`${verb}d`);
    return { topics: answer.topics, errors: ws.frames.slice(from).filter((frame) => frame.type === 'error') };
  }

  /** Ada gets so much, and whoever listens has been told. */
  async function happens(amount) {
    const witness = await listen(server, ada);
    await fund(system, ada.account, amount);
    await witness.next('balance-updated');
    await witness.close();
  }

  test('one\'s own three are heard without asking, and can be left and taken again', async () => {
    const ws = await listen(server, ada);
    assert.deepEqual(await chosen(ws, ['accounts'], 'unsubscribe'), { topics: ['accounts'], errors: [] });
    await happens(1);
    assert.deepEqual(await chosen(ws, OWN_TOPICS), { topics: OWN_TOPICS, errors: [] });
    await fund(system, ada.account, 2);
    const event = await ws.next('balance-updated');
    assert.equal(event.data.delta, 2);
    assert.equal(eventsOf(ws).length, 1);
    await ws.close();
  });

  test('that were left stay left when the token is renewed', async () => {
    const ws = await listen(server, ada);
    await chosen(ws, OWN_TOPICS, 'unsubscribe');
    ws.send({ type: 'auth', token: ada.token });
    await ws.next('hello');
    await happens(1);
    await chosen(ws, ['accounts']);
    await fund(system, ada.account, 2);
    await ws.next('balance-updated');
    assert.deepEqual(eventsOf(ws).map((event) => event.data.delta), [2]);
    await ws.close();
  });

  test('that are forbidden or unknown are said so, the others count', async () => {
    const ws = await listen(server, ada);
    const mine = `payments:${claims(ada.token).user}`;
    const his = `payments:${claims(bob.token).user}`;
    const asked = ['points', his, 'nonsense', 'rewards', 'rewards:user1', mine, 'payments:', 7, ''];
    const { topics, errors } = await chosen(ws, asked);
    assert.deepEqual(topics, ['points', mine]);
    assert.deepEqual(errors.map(({ code, topic }) => [code, topic]), [
      ['forbidden', his], ['unknown_topic', 'nonsense'], ['forbidden', 'rewards'], ['forbidden', 'rewards:user1'],
      ['unknown_topic', 'payments:'], ['unknown_topic', null], ['unknown_topic', ''],
    ]);
    for (const { message } of errors) assert.ok(message.length > 0);
    await ws.close();
  });

  test('of a key are those of its scopes', async () => {
    const ask = ['points', 'payments:anybody', 'rewards', 'rewards:anybody'];
    for (const [scope, allowed] of [['rewards', ask.slice(2)], ['userstate', ask.slice(1, 2)], ['points', []]]) {
      const ws = await socket(server, basic(keys[scope]));
      await ws.next('hello');
      const { topics, errors } = await chosen(ws, ask);
      assert.deepEqual(topics, allowed, scope);
      assert.ok(errors.every((error) => error.code === 'forbidden'));
      await ws.close();
    }
  });

  test('of somebody without a token are none', async () => {
    const ws = await socket(server);
    await ws.next('hello');
    const { topics, errors } = await chosen(ws, [...OWN_TOPICS, 'rewards', 'payments:john']);
    assert.deepEqual(topics, []);
    assert.deepEqual(errors.map((error) => error.code), Array(5).fill('forbidden'));
    await ws.close();
  });

  test('are at most a hundred', async () => {
    const ws = await socket(server, basic(keys.rewards));
    await ws.next('hello');
    const names = Array.from({ length: 101 }, (_, i) => `rewards:member${i}`);
    const { topics, errors } = await chosen(ws, names);
    assert.deepEqual(topics, names.slice(0, 100));
    assert.deepEqual(errors.map(({ code, topic }) => [code, topic]), [['too_many_topics', names[100]]]);
    await chosen(ws, [names[0], names[0]], 'unsubscribe');
    assert.deepEqual((await chosen(ws, [names[5], names[100]])).topics, [names[5], names[100]]);
    await ws.close();
  });
});

describe('the protocol', () => {
  test('answers a ping, and any text it does not know, and goes on', async () => {
    const ws = await listen(server, ada);
    ws.send({ type: 'ping' });
    assert.deepEqual(await ws.next('pong'), { type: 'pong' });
    ws.send({ type: 'sing' });
    assert.equal((await ws.next('error')).code, 'unknown_type');
    ws.send({ type: 'ping', extra: [1, 2] });
    await ws.next('pong');
    await ws.close();
  });

  const malformed = ['nonsense', '[]', '"ping"', '{}', '{"type":5}', '{"type":"ping"', '',
    '{"type":"ping","type":"ping"}', '{"type":"subscribe"}', '{"type":"subscribe","topics":"points"}',
    '{"type":"unsubscribe","topics":{}}', '{"type":"auth"}', '{"type":"auth","token":7}',
    `{"type":"subscribe","topics":[${Array(201).fill('"a"')}]}`, `${'['.repeat(100)}${']'.repeat(100)}`];
  for (const text of malformed) {
    test(`closes with 4400 on ${text.slice(0, 40) || 'nothing'}`, async () => {
      const ws = await listen(server, ada);
      ws.send(text);
      assert.equal((await ws.closed()).code, 4400);
    });
  }
});

test('with TALLY_OPEN, shared topics need no token', async () => {
  const open = await startServer({ database: server.database, env: { TALLY_OPEN: '1' } });
  const ws = await socket(open);
  await ws.next('hello');
  ws.send({ type: 'subscribe', topics: ['rewards', 'rewards:user1', 'payments:john', 'points'] });
  assert.deepEqual((await ws.next('subscribed')).topics, ['rewards', 'rewards:user1', 'payments:john']);
  await ws.close();
  await open.stop();
});
