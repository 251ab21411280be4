// The change stream is lost: its backend is killed, its connection cut, kept away or mute. Clients stay
// connected and get every event once and in order; reads stay right; what was revoked is closed.
import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { Follower } from '../lib/follower.mjs';
import { assertNumbers, fundFirst, listen, settledCustomer } from '../lib/listen.mjs';
import { audit, balanceOf, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { query } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let elsewhere;      // a process that sees everything
let server;         // the one whose stream is hurt
let proxy;
let system;
before(async () => {
  elsewhere = await startServer();
  proxy = await startProxy(elsewhere.database);
  server = await startServer({ database: proxy.url });
  system = await systemUser(elsewhere);
});
beforeEach(() => server.ready());
after(async () => {
  await audit(elsewhere);
  await server.stop();
  await elsewhere.stop();
  await proxy.close();
});

const only = (connection) => connection.replication;
const stream = async (of) => JSON.parse((await api(of).get('/ready')).text).stream;

/** The person, speaking with that server. */
const at = (one, { token }) => ({ api: api(one, { token }) });

/** The stream is away, and stays so until proxy.unfreeze(); the database answers. */
async function takeStreamAway() {
  proxy.freeze({ only });
  proxy.cut({ only });
  await until(async () => await stream(server) === 'away', 'the stream to be away');
}

/** Transfers to and fro by way of both servers until stop(), which tells how many there were. */
function traffic(ada, bob) {
  let running = true;
  let count = 0;
  const one = async (first) => {
    for (let i = first; running; i += 1) {
      const reply = await transfer(at(i % 2 ? server : elsewhere, ada), ada.account, bob.account, 0.01);
      assert.equal(reply.status, 200, reply.text);
      count += 1;
    }
  };
  const all = Promise.all([0, 1, 2].map(one));
  return async () => { running = false; await all; return count; };
}

const people = (amount = 1000) => Promise.all(['Ada', 'Bob'].map(
  (name) => settledCustomer([elsewhere, server], system, { name, amount })));

async function followed(persons) {
  const followers = persons.map((person) => new Follower(person));
  for (const follower of followers) await follower.connect(server);
  return followers;
}

/** Each has got `count` events after its first, on the one connection it had. */
async function assertAllCame(followers, count) {
  for (const follower of followers) {
    const { _id } = follower.person.account;
    await follower.reached(_id, 1 + count);
    assertNumbers(follower.seen, _id, 2, 1 + count);
    follower.check();
    assert.equal(follower.ws.end, null, 'the client has stayed connected');
    await follower.leave();
  }
}

const losses = () => server.logs.filter(({ area, event }) => area === 'stream' && event === 'lost').length;

describe('under traffic, connected clients get every event once and in order', () => {
  test('when the backend that feeds the stream is killed, again and again', async () => {
    const [ada, bob] = await people();
    const followers = await followed([ada, bob]);
    const stop = traffic(ada, bob);
    for (let i = 0; i < 5; i++) {
      const before = losses();
      await query(elsewhere.database, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'walsender'`);
      await until(() => losses() > before, 'the loss to be noticed');
      await until(async () => await stream(server) === 'live', 'the stream to be back');
    }
    await assertAllCame(followers, await stop());
  });

  test('when its connection is cut in the middle of what it says', async () => {
    const [ada, bob] = await people();
    const followers = await followed([ada, bob]);
    const stop = traffic(ada, bob);
    for (const bytes of [1, 300, 5000, 20_000]) {
      await proxy.cutAfter({ fromServer: bytes, only });
      await until(async () => await stream(server) === 'live', 'the stream to be back');
    }
    await assertAllCame(followers, await stop());
  });

  test('when it becomes mute without a word', { timeout: 60_000 }, async () => {
    const [ada, bob] = await people();
    const followers = await followed([ada, bob]);
    const [mute] = proxy.those(only);
    const before = losses();
    proxy.freeze({ only: (connection) => connection === mute });
    const moved = await transfer(ada, ada.account, bob.account, 1);
    assert.equal(moved.status, 200);
    await until(() => losses() > before, 'the silence to be noticed', { timeout: 30_000 });
    await assertAllCame(followers, 1);
    proxy.unfreeze();
  });
});

describe('while the stream is away', () => {
  test('reads are right, whoever wrote', async () => {
    const [ada, bob] = await people(100);
    await takeStreamAway();
    for (let i = 1; i <= 10; i++) {
      const via = i % 2 ? elsewhere : server;
      assert.equal((await transfer(at(via, ada), ada.account, bob.account, 1)).status, 200);
      assert.equal(await balanceOf(at(server, ada), ada.account), 100 - i);
      assert.equal(await balanceOf(at(server, bob), bob.account), 100 + i);
    }
    assert.equal(await stream(server), 'away');
    proxy.unfreeze();
    await server.ready();
    assert.equal(await balanceOf(at(server, bob), bob.account), 110);
  });

  test('events wait, those of an account opened meanwhile, too', async () => {
    const [ada, bob] = await people();
    const followers = await followed([ada, bob]);
    await takeStreamAway();
    for (let i = 0; i < 20; i++) assert.equal((await transfer(ada, ada.account, bob.account, 1)).status, 200);
    const opened = await openAccount(ada);
    await fundFirst([elsewhere], system, ada, [opened], 5);
    const [adas] = followers;
    assert.equal(adas.seen.length, 0);
    proxy.unfreeze();
    await adas.reached(opened._id, 1);
    assertNumbers(adas.seen, opened._id, 1, 1);
    await assertAllCame(followers, 20);
  });

  test('a client that connects is brought up to date when the stream is back', async () => {
    const [ada] = await people();
    await takeStreamAway();
    const carol = await register(elsewhere, { name: 'Carol' });
    carol.account = await openAccount(carol);
    const followers = await followed([ada, carol]);
    await fund(system, ada.account, 1);
    await fund(system, carol.account, 1);
    proxy.unfreeze();
    await followers[1].reached(carol.account._id, 1);
    await followers[0].reached(ada.account._id, 2);
    for (const follower of followers) await follower.leave();
  });

  test('who missed more than 1000 is asked to come again, and gets the state and the newest', async () => {
    const [ada] = await people();
    const [adas] = await followed([ada]);
    await takeStreamAway();
    for (let i = 0; i < 21; i++) await Promise.all(Array.from({ length: 50 }, () => fund(system, ada.account, 1)));
    proxy.unfreeze();
    assert.equal((await adas.ws.closed()).code, 1013);
    assert.equal(adas.seen.length, 0);
    assert.equal((await adas.connect(server)).resumed, 1000);
    assert.equal(adas.resyncs.length, 1);
    assertNumbers(adas.seen, ada.account._id, 52, 1051);
    await adas.leave();
  });
});

describe('when the stream is back, what ended meanwhile is closed', () => {
  test('a token that was revoked elsewhere', async () => {
    const [ada] = await people();
    const revoked = await listen(server, ada);
    const good = await listen(server, await register(elsewhere, { name: 'Bob' }));
    await takeStreamAway();
    assert.equal((await ada.api.post('/api/auth/logout')).status, 200);
    proxy.unfreeze();
    assert.equal((await revoked.closed()).code, 4401);
    await server.ready();
    assert.equal(good.end, null);
    await good.close();
  });

  test('a key, and who hears topics that carry no cursor: they reload', async () => {
    const said = await elsewhere.command('apikey', 'add', '--holder', 'shop', '--scope', 'rewards');
    const key = Buffer.from(`shop:${said.trim().split(/\s+/).pop()}`).toString('base64');
    const ws = await socket(server, { headers: { authorization: `Basic ${key}` } });
    await ws.next('hello');
    ws.send({ type: 'subscribe', topics: ['rewards'] });
    await ws.next('subscribed');
    await takeStreamAway();
    proxy.unfreeze();
    assert.equal((await ws.closed()).code, 1013);
  });
});
