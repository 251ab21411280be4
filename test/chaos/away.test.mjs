// PostgreSQL is stopped for a while. Memory goes on answering, writes are refused at once, nothing
// spins, sockets stay; when it is back, all is well within a second, without anybody's doing.
// TALLY_CHAOS_LONG=1: a whole minute.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { api } from '../lib/client.mjs';
import { startHistory } from '../lib/history.mjs';
import { balanceOf, transfer } from '../lib/people.mjs';
import { Cluster } from '../lib/pg.mjs';
import { cpuShare } from '../lib/proc.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const AWAY = process.env.TALLY_CHAOS_LONG === '1' ? 60_000 : 8000;
const AT_ONCE = 200;        // ms
const BACK_MAX = 5000;      // the aim is 1,000
const CPU_MAX = 0.2;        // of one core, with the requests below
const EVERY = 50;           // ms between them

let cluster;
let server;
let history;
before(async () => {
  cluster = await Cluster.start();
  server = await startServer({ database: await cluster.freshDatabase() });
  history = await startHistory(server, { people: 3 });
});
after(async () => {
  await history?.end();
  await server?.stop();
  await cluster?.remove();
});

/** The reply, which must have come at once. */
async function prompt(request, what) {
  const from = Date.now();
  const reply = await request;
  assert.ok(Date.now() - from < AT_ONCE, `${what} took ${Date.now() - from} ms`);
  return reply;
}

function refused(reply, what) {
  assert.equal(reply.status, 503, `${what}: ${reply.text}`);
  assert.ok(Number(reply.headers['retry-after']) > 0, `${what}: Retry-After`);
  assert.equal(reply.json.errorCode, 503);
}

/** One of everything; counts what was asked. */
async function lookAround(balances) {
  const [ada, bob] = history.people;
  for (const [n, person] of history.people.entries()) {
    assert.equal(await prompt(balanceOf(person, person.account), 'a balance'), balances[n]);
  }
  const list = await prompt(ada.api.get('/api/accounts'), 'the list of accounts');
  assert.equal(list.status, 200);
  refused(await prompt(transfer(ada, ada.account, bob.account, 1), 'a transfer'), 'a transfer');
  refused(await prompt(ada.api.post('/api/accounts'), 'opening an account'), 'opening an account');
  refused(await prompt(ada.api.get('/api/transactions'), 'a list from the tables'), 'a list from the tables');
  assert.equal((await prompt(api(server).get('/health'), '/health')).status, 200);
  const ready = await prompt(api(server).get('/ready'), '/ready');
  assert.equal(ready.status, 503);
  assert.equal(ready.json.ready, false);
}

async function away(t) {
  history.load(6);
  await history.progress(50);
  await history.calm();
  await history.settle();
  const balances = await Promise.all(history.people.map((person) => balanceOf(person, person.account)));
  const lines = server.logs.length;
  await cluster.stop();
  await until(async () => (await api(server).get('/ready')).status === 503, '/ready to say 503', { timeout: 1000 });
  let rounds = 0;
  const { share } = await cpuShare(server.pid, async () => {
    for (const end = Date.now() + AWAY; Date.now() < end; rounds++) {
      await lookAround(balances);
      await pause(EVERY * 6);
    }
  });
  assert.ok(share < CPU_MAX, `it used ${(share * 100).toFixed(1)} % of a core while there was nothing to do`);
  const isTrouble = ({ area, event }) => (area === 'db' || area === 'stream') && event === 'trouble';
  const troubles = server.logs.slice(lines).filter(isTrouble);
  assert.ok(troubles.length < 20, `a lasting trouble is not logged at each attempt: ${troubles.length} lines`);
  await cluster.start();
  const from = Date.now();
  await until(async () => (await history.ask(history.wish())).answer, 'a transfer', { timeout: BACK_MAX });
  const writes = Date.now() - from;
  await server.ready({ timeout: BACK_MAX });
  const seen = { rounds, cpu: share.toFixed(3), writes, ready: Date.now() - from };
  t.diagnostic(JSON.stringify({ ...seen, ...await history.check() }));
  for (const { connections } of history.followers) assert.equal(connections, 1, 'sockets stay open');
}

describe(`PostgreSQL is away for ${AWAY / 1000} s`, () => {
  test('reads go on, writes are refused at once, all is well when it is back', away);

  test('and comes and goes', async (t) => {
    history.load(6);
    for (let round = 0; round < 3; round++) {
      await history.progress(20);
      await cluster.stop();
      await pause(Math.random() * 700);
      await cluster.start();
    }
    await history.progress(20);
    t.diagnostic(JSON.stringify(await history.check()));
  });

  test('SIGTERM while it is away ends the server in order', async () => {
    const other = await startServer({ database: await cluster.freshDatabase() });
    await cluster.stop();
    const from = Date.now();
    await other.stop();
    assert.ok(Date.now() - from < 3000, `it took ${Date.now() - from} ms`);
    await cluster.start();
    await server.ready();
  });
});
