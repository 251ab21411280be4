// The whole PostgreSQL dies as by a power cut, under load, with fsync on, and comes back. What was
// acknowledged is there; the server is back at work within about a second, by itself.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startHistory } from '../lib/history.mjs';
import { Cluster } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const SETTINGS = { fsync: 'on', max_wal_senders: 8 };
const BACK_MAX = 5000;      // ms; the aim is 1,000, on a machine that does nothing else

let cluster;
before(async () => { cluster = await Cluster.start(SETTINGS); });
after(async () => { await cluster?.remove(); });

/**
 * While it is away, new writes are refused. Asked for one after the other, because those that were under way when it
 * died wait for its return, and they may be all that the clients of the load have.
 */
async function refuses(history) {
  const before = history.counts.refused;
  const refused = () => {
    history.ask(history.wish());
    return history.counts.refused > before;
  };
  await until(refused, 'a write to be refused while PostgreSQL is away', { timeout: BACK_MAX });
}

async function rounds(t, options, n) {
  const server = await startServer({ database: await cluster.freshDatabase(), ...options });
  const history = await startHistory(server);
  const back = [];
  try {
    history.load();
    for (let round = 0; round < n; round++) {
      await history.progress(40);
      await cluster.kill9();
      await refuses(history);
      await pause(Math.random() * 500);
      await cluster.start(SETTINGS);
      const from = Date.now();
      await history.progress(1, { timeout: BACK_MAX });
      await server.ready({ timeout: BACK_MAX });
      back.push(Date.now() - from);
    }
    await history.progress(40);
    t.diagnostic(JSON.stringify({ back, ...await history.check() }));
    assert.equal(history.counts.broken, 0, 'every request was answered');
    for (const { connections } of history.followers) assert.equal(connections, 1, 'sockets stay open');
  } finally {
    await history.end();
  }
  await server.stop();
}

describe('kill -9 of PostgreSQL under load', () => {
  test('one process', (t) => rounds(t, {}, 4));
  test('two processes', (t) => rounds(t, { workers: 2 }, 2));

  test('in the middle of its recovery, and again', async (t) => {
    const server = await startServer({ database: await cluster.freshDatabase() });
    const history = await startHistory(server);
    try {
      history.load();
      await history.progress(60);
      for (let round = 0; round < 3; round++) {
        await cluster.kill9().catch(() => {});      // it may not have come back from the last time
        const started = cluster.start(SETTINGS).catch(() => {});
        await pause(150 + 150 * round);
        await cluster.kill9().catch(() => {});
        await started;
      }
      await until(() => cluster.start(SETTINGS).then(() => true), 'PostgreSQL to start', { timeout: 20_000 });
      await history.progress(40);
      t.diagnostic(JSON.stringify(await history.check()));
    } finally {
      await history.end();
    }
    await server.stop();
  });
});
