// kill -9 of the server under load, as one process and as several. Whoever was told that his
// transfer is done finds it done, and each socket gets what it missed, once.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { startHistory } from '../lib/history.mjs';
import { query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const LOAD = 60;      // transfers between two faults

const open = [];
after(async () => { for (const history of open) await history.end(); });

async function start(options) {
  const server = await startServer(options);
  const history = await startHistory(server);
  open.push(history);
  return { server, history };
}

/** Of each worker the process that was started last. */
function workers(server) {
  const pids = new Map();
  const started = server.logs.filter(({ area, event }) => area === 'workers' && event === 'started');
  for (const { index, pid } of started) pids.set(index, Number(pid));
  return [...pids.values()];
}

const alive = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('kill -9 of the server', () => {
  test('one process, five times under load', async (t) => {
    const { server, history } = await start();
    history.load();
    for (let round = 0; round < 5; round++) {
      await history.progress(LOAD);
      // Otherwise some are still coming back, which is a moment of its own.
      if (round % 2) await until(() => history.followers.every(({ connected }) => connected), 'all sockets to be back');
      await server.restart({ kill: true });
    }
    await history.progress(LOAD);
    t.diagnostic(JSON.stringify(await history.check()));
    assert.ok(history.counts.broken > 0, 'requests were under way');
    for (const { connections } of history.followers) assert.ok(connections >= 4, 'each socket came back');
    await server.stop();
  });

  test('a worker of two: the other goes on, a new one is started', async (t) => {
    const { server, history } = await start({ workers: 2 });
    history.load();
    for (let round = 0; round < 4; round++) {
      await history.progress(LOAD);
      const pids = workers(server);
      assert.equal(pids.length, 2);
      const lines = server.logs.length;
      process.kill(pids[round % 2], 'SIGKILL');
      const fits = ({ signal, pid }) => Number(signal) === 9 && Number(pid) === pids[round % 2];
      await server.logged('workers', 'died', { from: lines, fits });
      await server.logged('workers', 'started', { from: lines });
      assert.ok(alive(pids[(round + 1) % 2]), 'the other one still runs');
      await server.logged('live', 'live', { from: lines });
    }
    await history.progress(LOAD);
    t.diagnostic(JSON.stringify(await history.check()));
    await server.stop();
  });

  test('the supervisor of two: its workers end in order, the next ones take over', async (t) => {
    const { server, history } = await start({ workers: 2 });
    history.load();
    for (let round = 0; round < 2; round++) {
      await history.progress(LOAD);
      const pids = workers(server);
      const lines = server.logs.length;
      await server.kill();
      await until(() => !pids.some(alive), 'the orphaned workers to end');
      const stopped = server.logs.slice(lines).filter(({ area, event }) => area === 'tallyd' && event === 'stopped');
      assert.equal(stopped.length, 2);
      await server.start();
    }
    await history.progress(LOAD);
    t.diagnostic(JSON.stringify(await history.check()));
    await server.stop();
  });

  test('leaves no slot behind', async () => {
    const { server, history } = await start();
    await server.kill();
    await until(async () => (await query(server.database, `SELECT count(*) AS n FROM pg_replication_slots
      WHERE database = current_database()`))[0].n === 0, 'the slot to be gone');
    await server.start();
    await history.check();
    await server.stop();
  });
});
