// Two processes on one database, one of which hears of commits late: clients that go from one to the
// other are told nothing twice, nothing too early, and miss nothing.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { Follower } from '../lib/follower.mjs';
import { assertNumbers, listen, settledCustomer } from '../lib/listen.mjs';
import { audit, balanceOf, fund, openAccount, systemUser } from '../lib/people.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { never } from '../lib/wait.mjs';

let server;
let system;
before(async () => {
  server = await startServer();
  system = await systemUser(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

describe('a process that lags behind another', () => {
  let proxy;
  let lagging;
  before(async () => {
    proxy = await startProxy(server.database);
    lagging = await startServer({ database: proxy.url });
  });
  after(async () => {
    await lagging.stop();
    await proxy.close();
  });
  const only = (connection) => connection.replication;

  async function ahead() {
    const ada = await settledCustomer([server, lagging], system);
    const follower = new Follower(ada);
    await follower.connect(server);
    proxy.freeze({ only });
    for (let i = 0; i < 3; i++) await fund(system, ada.account, 1);
    await follower.reached(ada.account._id, 4);
    return follower;
  }

  test('waits until it knows what the client has seen already', async () => {
    const follower = await ahead();
    const { person } = follower;
    const coming = follower.connect(lagging);
    await never(() => follower.hello.resumed !== null, 'a greeting by a process that knows less than the client', 300);
    proxy.unfreeze();
    assert.equal((await coming).resumed, 0);
    await fund(system, person.account, 1);
    await follower.reached(person.account._id, 5);
    assertNumbers(follower.seen, person.account._id, 2, 5);
    await follower.leave();
  });

  test('sends it away when it does not catch up, rather than tell it anything twice', async () => {
    const follower = await ahead();
    const ws = await socket(lagging, { token: follower.person.token, cursor: follower.cursor });
    assert.equal((await ws.closed()).code, 1013);
    assert.deepEqual(ws.frames, []);
    proxy.unfreeze();
    assert.equal((await follower.connect(lagging)).resumed, 0);
    await follower.leave();
  });

  test('tells the first event of an account that a request has met before the stream brought it', async () => {
    const ada = await settledCustomer([server, lagging], system);
    const ws = await listen(lagging, ada);
    proxy.freeze({ only });
    const account = await openAccount(ada);
    for (const amount of [3, 4]) await fund(system, account, amount);
    assert.equal(await balanceOf({ api: api(lagging, { token: ada.token }) }, account), 7);
    const later = await listen(lagging, ada);
    proxy.unfreeze();
    for (const client of [ws, later]) {
      await client.until((frame) => frame.seq === 2);
      assertNumbers(client.frames, account._id, 1, 2);
      await client.close();
    }
  });

  test('lets nobody in whose token was revoked while he waited', async () => {
    const follower = await ahead();
    const { token } = follower.person;
    const ws = await socket(lagging, { token, cursor: follower.cursor });
    assert.equal((await api(lagging, { token }).post('/api/auth/logout')).status, 200);
    proxy.unfreeze();
    assert.equal((await ws.closed()).code, 4401);
    assert.deepEqual(ws.frames, []);
    await follower.leave();
  });
});
