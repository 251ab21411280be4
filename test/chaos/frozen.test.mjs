// PostgreSQL is there and does not answer (SIGSTOP), or answers and cannot be written to. Requests
// end by their deadlines, memory goes on, and what was frozen in the middle of a commit is settled
// when it thaws.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { api } from '../lib/client.mjs';
import { startHistory } from '../lib/history.mjs';
import { balanceOf } from '../lib/people.mjs';
import { Cluster, execute } from '../lib/pg.mjs';
import { cpuShare } from '../lib/proc.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const DEADLINE = 8000;      // of the server, for one request
const SLACK = 2500;         // for a slow machine and the granularity of timers
const BACK_MAX = 5000;

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
  await cluster?.resume().catch(() => {});
  await server?.stop();
  await cluster?.remove();
});

const refused = (reply) => {
  assert.equal(reply.status, 503, reply.text);
  assert.ok(Number(reply.headers['retry-after']) > 0);
};

/** Requests that need the database, one of each kind, and how long each took to be refused. */
async function refusals(options = { timeout: DEADLINE + SLACK }) {
  const [ada] = history.people;
  const timed = async (request) => {
    const from = Date.now();
    refused(await request);
    return Date.now() - from;
  };
  return Promise.all([
    timed(history.ask(history.wish()).then(({ last }) => last)),
    timed(ada.api.get('/api/transactions', options)),
    timed(ada.api.post('/api/accounts', options)),
  ]);
}

/** Memory answers at once, as long as `going` says so. */
async function readAll(going) {
  let slowest = 0;
  for (let n = 0; going(); n++) {
    const person = history.people[n % history.people.length];
    const from = Date.now();
    await balanceOf(person, person.account);
    assert.equal((await api(server).get('/health')).status, 200);
    slowest = Math.max(slowest, Date.now() - from);
    await pause(50);
  }
  assert.ok(slowest < 500, `a balance took ${slowest} ms`);
  return slowest;
}

describe('PostgreSQL is frozen', () => {
  test('requests end by their deadlines, memory goes on, then all is well', async (t) => {
    history.load(8);
    await history.progress(50);
    await cluster.pause();
    const waiting = await Promise.all([1, 2, 3, 4].map(() => history.wish())
      .map((wish) => history.ask(wish)));     // these are in a batch that is frozen with it
    assert.ok(waiting.every(({ answer }) => !answer), 'nothing is acknowledged that is not durable');
    assert.ok(history.slowest < DEADLINE + SLACK, `an answer took ${history.slowest} ms`);
    let over = false;
    const { share, value } = await cpuShare(server.pid, () => Promise.all([
      refusals().finally(() => { over = true; }),
      readAll(() => !over),
    ]));
    await cluster.resume();
    const from = Date.now();
    await history.progress(1, { timeout: BACK_MAX });
    await server.ready({ timeout: BACK_MAX });
    const seen = { refusals: value[0], read: value[1], cpu: share.toFixed(3), back: Date.now() - from };
    t.diagnostic(JSON.stringify({ ...seen, ...await history.check() }));
    assert.ok(share < 0.5, `it used ${(share * 100).toFixed(1)} % of a core`);
    assert.equal(history.counts.broken, 0, 'every request was answered');
  });

  test('shortly, again and again: answers come late, and are right', async (t) => {
    history.load(8);
    for (let round = 0; round < 6; round++) {
      await history.progress(20);
      await cluster.pause();
      await pause(100 + 150 * round);
      await cluster.resume();
    }
    await history.progress(20);
    t.diagnostic(JSON.stringify(await history.check()));
  });

  test('SIGTERM meanwhile: what is under way ends by its deadline, exit code 0', async (t) => {
    const other = await startServer({ database: await cluster.freshDatabase() });
    const waiting = await startHistory(other, { people: 2 });
    try {
      waiting.load(6);
      await waiting.progress(20);
      await cluster.pause();
      await pause(200);
      const from = Date.now();
      await other.stop({ timeout: 30_000 });
      const time = Date.now() - from;
      assert.ok(time < DEADLINE + SLACK, `it took ${time} ms`);
      await waiting.calm();
      await cluster.resume();
      await other.start();
      t.diagnostic(JSON.stringify({ time, ...await waiting.check() }));
    } finally {
      await cluster.resume();
      await waiting.end();
    }
    await other.stop();
    await server.ready();
  });
});

describe('PostgreSQL is read-only', () => {
  const sql = (text) => execute(cluster.url(), `${text}; SELECT pg_reload_conf();`);

  test('it is refused as such, and taken back when it can be written to', async (t) => {
    const lines = server.logs.length;
    history.load(4);
    await history.progress(20);
    await sql('ALTER SYSTEM SET default_transaction_read_only = on');
    const said = await until(async () => {
      await refusals();
      const ready = await api(server).get('/ready');
      return ready.status === 503 && ready.json.database === 'read-only' && ready.json;
    }, '/ready to say why');
    await server.logged('db', 'trouble', { from: lines, fits: ({ why }) => why === 'read-only' });
    assert.equal(said.ledger, 'away');
    for (const person of history.people) await balanceOf(person, person.account);
    await pause(1500);
    const troubles = server.logs.slice(lines).filter(({ event, why }) => event === 'trouble' && why === 'read-only');
    assert.ok(troubles.length < 12, `said ${troubles.length} times`);
    await sql('ALTER SYSTEM RESET default_transaction_read_only');
    const from = Date.now();
    await history.progress(1, { timeout: BACK_MAX });
    await server.ready({ timeout: BACK_MAX });
    t.diagnostic(JSON.stringify({ said, back: Date.now() - from, ...await history.check() }));
  });
});
