// The port is open while the process can answer: at the start not before its memory is loaded and the ledger stands, so
// that no client meets a server that is not there yet; of several processes at one port only those are given clients.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { balanceOf, customer, systemUser, transfer } from '../lib/people.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { freePort, Server, startServer } from '../lib/server.mjs';
import { never, until } from '../lib/wait.mjs';

const LATEST = 5000;    // ms, how long a single process waits for its database before it opens
const only = (connection) => connection.replication;
let database;
let proxy;
before(async () => {
  database = await freshDatabase();
  proxy = await startProxy(database);
});
after(() => proxy?.close());

/** Whether somebody listens at the port. */
function isOpen(port) {
  return new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port });
    socket.on('connect', () => { socket.destroy(); resolve(true); });
    socket.on('error', () => resolve(false));
  });
}

async function begin(options) {
  const server = new Server({ database: proxy.url, ...options });
  server.port = await freePort();
  const started = server.start({ ready: false });
  started.catch(() => {});
  return { server, started };
}

describe('a process that starts', () => {
  test('lets nobody in before its memory is loaded, and answers the first request', async () => {
    proxy.freeze({ only });
    const { server, started } = await begin();
    await server.logged('db', 'connected', { fits: ({ name }) => name === 'ledger' });
    await never(() => isOpen(server.port), 'the port to open while the memory is not loaded', 500);
    proxy.unfreeze();
    await started;
    assert.equal((await api(server).get('/ready')).status, 200, 'the first question finds it ready');
    const { ready } = server.logs.find(({ area, event }) => area === 'http' && event === 'listening');
    assert.equal(Number(ready), 1);
    await server.stop();
  });

  test('or before the ledger stands', async () => {
    const ledger = ({ startup }) => startup?.application_name === 'ledger';
    proxy.freeze({ only: ledger });
    const { server, started } = await begin();
    await server.logged('live', 'live');
    await never(() => isOpen(server.port), 'the port to open without the ledger', 500);
    proxy.unfreeze();
    await started;
    assert.equal((await api(server).get('/ready')).status, 200);
    await server.stop();
  });

  test('answers transfers from the first moment, at each of many starts', async () => {
    const server = await startServer();
    const system = await systemUser(server);
    const ada = await customer(server, system, { amount: 100 });
    const bob = await customer(server, system, { amount: 0 });
    for (let round = 1; round <= 5; round++) {
      await server.restart({ kill: round % 2 === 0, ready: false });
      assert.equal((await transfer(ada, ada.account, bob.account, 1)).status, 200);
      assert.equal(await balanceOf(bob, bob.account), round);
    }
    await server.stop();
  });

  test('opens all the same when the database keeps it waiting, to say what it waits for', async () => {
    proxy.freeze({ only });
    const { server, started } = await begin();
    const from = Date.now();
    await started;
    assert.ok(Date.now() - from > LATEST - 500, 'not at once');
    assert.equal((await api(server).get('/health')).status, 200);
    const ready = await api(server).get('/ready');
    assert.equal(ready.status, 503);
    assert.ok(Number(ready.headers['retry-after']) > 0);
    assert.notEqual(ready.json.stream, 'live');
    proxy.unfreeze();
    await server.ready();
    await server.stop();
  });

  test('ends in order when it is told to before it has opened', async () => {
    proxy.freeze({ only });
    const { server, started } = await begin();
    await server.logged('db', 'connected');
    server.child.kill('SIGTERM');
    await assert.rejects(started);
    assert.deepEqual(server.result, { code: 0, signal: null });
    assert.equal(server.logs.some(({ event }) => event === 'listening'), false);
    proxy.unfreeze();
  });

  test('says so and ends when another has opened its port meanwhile', async () => {
    proxy.freeze({ only });
    const { server, started } = await begin();
    server.expectDeath = true;
    await server.logged('db', 'connected');
    const other = await startServer({ database, env: { TALLY_PORT: String(server.port) } });
    proxy.unfreeze();
    await assert.rejects(started);
    assert.equal(server.result.code, 1);
    const { why } = server.logs.find(({ event }) => event === 'cannot_start');
    assert.match(why, /port \d+ on .* is in use/);
    await other.stop();
  });
});

describe('of two processes at one port', () => {
  let server;
  const workers = () => readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim().split(' ');
  const listening = () => server.logs.filter(({ area, event }) => area === 'http' && event === 'listening').length;
  before(async () => {
    server = await startServer({ database: proxy.url, workers: 2 });
    await until(() => listening() === 2, 'both to listen');
  });
  after(() => server?.stop());

  test('one that was started anew gets no client before it can answer, however long that takes', async () => {
    const [victim] = workers();
    const at = server.logs.length;
    proxy.freeze({ only });
    process.kill(Number(victim), 'SIGKILL');
    const connected = ({ name }) => name === 'read';
    await until(() => workers().length === 2 && !workers().includes(victim), 'it to be replaced');
    await server.logged('db', 'connected', { from: at, fits: connected });
    const from = Date.now();
    let asked = 0;
    while (Date.now() - from < LATEST + 1500) {
      // A connection each: the kernel chooses anew.
      const reply = await api(server).get('/ready', { headers: { connection: 'close' } });
      assert.equal(reply.status, 200, `after ${asked} answers: ${reply.text}`);
      asked += 1;
    }
    assert.ok(asked > 100);
    assert.equal(listening(), 2);
    proxy.unfreeze();
    await until(() => listening() === 3, 'the new one to listen');
  });
});
