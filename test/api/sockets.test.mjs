// How a socket's life ends and what it survives: tokens that expire, are renewed or revoked, keys
// and users that are taken back, messages that are too big, a server that stops.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { Follower } from '../lib/follower.mjs';
import { assertNumbers, comeBack, eventsOf, listen, settledCustomer } from '../lib/listen.mjs';
import { audit, fund, logIn, register, systemUser } from '../lib/people.mjs';
import { execute } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let one;
let two;      // another process on the same database
let system;
before(async () => {
  one = await startServer();
  two = await startServer({ database: one.database });
  system = await systemUser(one);
});
after(async () => {
  await audit(one);
  await one.stop();
  await two.stop();
});

async function shortToken(person, seconds) {
  const said = await one.command('token', '--email', person.email, '--ttl', String(seconds));
  return said.trim().split(/\s+/).pop();
}

const expiryOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8')).exp;
const past = (seconds) => until(() => Date.now() / 1000 > seconds, 'the expiry to be past');

async function answersPing(ws) {
  ws.send({ type: 'ping' });
  await ws.next('pong');
}

describe('a token that expires on an open socket', () => {
  test('closes it with 4401, not before', async () => {
    const ada = await register(one, { name: 'Ada' });
    const token = await shortToken(ada, 2);
    const ws = await listen(one, { token });
    assert.equal((await ws.closed()).code, 4401);
    assert.ok(Date.now() / 1000 >= expiryOf(token), 'it was still good');
    assert.equal((await api(one, { token }).get('/api/auth/me')).status, 401);
  });

  test('is announced a minute before', async () => {
    const ada = await register(one, { name: 'Ada' });
    const ws = await listen(one, { token: await shortToken(ada, 62) });
    assert.deepEqual(await ws.next('expiring'), { type: 'expiring', in: 60 });
    await answersPing(ws);
    await ws.close();
  });

  test('can be renewed by auth, with a cursor, and nothing is missed', async () => {
    const ada = await settledCustomer(one, system);
    const token = await shortToken(ada, 2);
    const ws = await listen(one, { token });
    await fund(system, ada.account, 1);
    const { cursor } = await ws.next('balance-updated');
    await fund(system, ada.account, 2);
    ws.send({ type: 'auth', token: ada.token, cursor });
    await ws.next('hello');
    await past(expiryOf(token) + 0.5);
    await answersPing(ws);
    await fund(system, ada.account, 3);
    await ws.until((frame) => frame.seq === 4);
    assert.deepEqual([...new Set(eventsOf(ws).map((event) => event.seq))], [2, 3, 4]);
    await ws.close();
  });

  test('renewed without a cursor goes on without a word said twice', async () => {
    const ada = await settledCustomer(one, system);
    const ws = await listen(one, ada);
    for (let i = 2; i < 20; i++) {
      ws.send({ type: 'auth', token: ada.token });
      await fund(system, ada.account, 1);
    }
    await ws.until((frame) => frame.seq === 19);
    assertNumbers(eventsOf(ws), ada.account._id, 2, 19);
    await ws.close();
  });

  test('renewed with a bad one closes with 4401', async () => {
    const ws = await listen(one, await register(one, { name: 'Ada' }));
    ws.send({ type: 'auth', token: 'bad' });
    assert.equal((await ws.closed()).code, 4401);
  });
});

describe('what is taken back closes sockets on every process', () => {
  test('a token by logging out: its sockets, no others of the same person', async () => {
    const ada = await register(one, { name: 'Ada' });
    const again = await logIn(one, ada);
    const going = await Promise.all([one, one, two].map((server) => listen(server, ada)));
    const staying = await Promise.all([one, two].map((server) => listen(server, again)));
    assert.equal((await ada.api.post('/api/auth/logout')).status, 200);
    for (const ws of going) assert.equal((await ws.closed()).code, 4401);
    for (const ws of staying) await answersPing(ws);
    for (const server of [one, two]) {
      assert.equal((await (await socket(server, { token: ada.token })).closed()).code, 4401);
    }
    await Promise.all(staying.map((ws) => ws.close()));
  });

  test('a key', async () => {
    const said = await one.command('apikey', 'add', '--holder', 'shop', '--scope', 'rewards');
    const key = `shop:${said.trim().split(/\s+/).pop()}`;
    const headers = { authorization: `Basic ${Buffer.from(key).toString('base64')}` };
    const sockets = await Promise.all([one, two].map((server) => socket(server, { headers })));
    for (const ws of sockets) await ws.next('hello');
    await one.command('apikey', 'revoke', '--holder', 'shop');
    for (const ws of sockets) assert.equal((await ws.closed()).code, 4401);
    assert.equal((await (await socket(one, { headers })).closed()).code, 4401);
  });

  const changes = {
    'a user who is disabled': `status = 'disabled'`,
    'tokens of before a new password': 'tokens_from = now()',
  };
  for (const [what, change] of Object.entries(changes)) {
    test(what, async () => {
      const ada = await register(one, { name: 'Ada' });
      const other = await listen(two, await register(one, { name: 'Bob' }));
      const sockets = await Promise.all([one, two].map((server) => listen(server, ada)));
      const mine = `lower(email) = lower('${ada.email}')`;
      await execute(one.database, `BEGIN; UPDATE users SET ${change} WHERE ${mine};
        SELECT tell(user_message(users)) FROM users WHERE ${mine}; COMMIT;`);
      for (const ws of sockets) assert.equal((await ws.closed()).code, 4401);
      assert.equal((await (await socket(two, { token: ada.token })).closed()).code, 4401);
      await answersPing(other);
      await other.close();
    });
  }
});

describe('a message', () => {
  test('of 64 KiB is read, a longer one closes with 1009', async () => {
    const ada = await register(one, { name: 'Ada' });
    const ws = await listen(one, ada);
    const sized = (n) => `{"type":"ping","x":"${'x'.repeat(n - 22)}"}`;
    assert.equal(sized(100).length, 100);
    ws.send(sized(64 << 10));
    await ws.next('pong');
    ws.send(sized((64 << 10) + 1));
    assert.equal((await ws.closed()).code, 1009);
  });

  test('that is binary closes with 1003', async () => {
    const ws = await listen(one, await register(one, { name: 'Ada' }));
    ws.send(Buffer.from('{"type":"ping"}'));
    assert.equal((await ws.closed()).code, 1003);
  });
});

test('a server that stops says 1001, and its clients resume from the next one', async () => {
  const server = await startServer({ database: one.database });
  const ada = await settledCustomer([one, server], system);
  const follower = new Follower(ada);
  const anonymous = await socket(server);
  await follower.connect(server);
  await fund(system, ada.account, 1);
  await follower.reached(ada.account._id, 2);
  const restarted = server.restart();
  for (const ws of [follower.ws, anonymous]) assert.equal((await ws.closed()).code, 1001);
  await fund(system, ada.account, 1);
  await restarted;
  await (await comeBack(server, ada, follower.cursor, 1)).close();
  assert.equal((await follower.connect(server)).resumed, 1);
  assertNumbers(follower.seen, ada.account._id, 2, 3);
  await follower.leave();
  await server.stop();
});
