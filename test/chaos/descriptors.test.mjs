// No file descriptor is left, or no more connection is wanted: the server does not spin, those who
// are connected are served, and when somebody leaves somebody may come.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { api, raw } from '../lib/client.mjs';
import { startHistory } from '../lib/history.mjs';
import { cpuShare } from '../lib/proc.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const CPU_MAX = 0.15;     // of one core, with some fifty requests a second
const HEALTH = 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n';

const knock = (server) => raw(server, { timeout: 3000 }).catch(() => null);

/** Connects as often as it can, until it is full; only those that were answered are kept. */
async function crowd(server, n) {
  const kept = [];
  const all = await Promise.all(Array.from({ length: n }, () => knock(server)));
  const asked = all.filter(Boolean).map(async (connection) => {
    await connection.send(HEALTH);
    const reply = await connection.reply().catch(() => null);
    if (reply?.status === 200) kept.push(connection);
    else connection.close();
  });
  await Promise.all(asked);
  return kept;
}

for (const [name, { options, said }] of Object.entries({
  'no descriptor is left': { options: { limits: { nofile: 33 } }, said: 'cannot accept' },
  'as many connections as are allowed': { options: { env: { TALLY_CONNECTIONS: '20' } }, said: 'too many connections' },
})) {
  describe(name, () => {
    let server;
    let history;
    before(async () => {
      server = await startServer(options);
      history = await startHistory(server, { people: 3 });
    });
    after(async () => {
      await history?.end();
      await server?.stop();
    });

    test('no spinning, old connections are served, new ones when others have gone', async (t) => {
      history.load(2, { rest: 50 });
      await history.progress(5);
      const kept = await crowd(server, 150);
      assert.ok(kept.length > 0 && kept.length < 60, `${kept.length} were let in`);
      const late = await Promise.all(Array.from({ length: 20 }, () => knock(server)));
      const { share } = await cpuShare(server.pid, async () => {
        for (let round = 0; round < 20; round++) {
          const one = kept[round % kept.length];
          await one.send(HEALTH);
          assert.equal((await one.reply()).status, 200);
          await pause(100);
        }
      });
      assert.ok(share < CPU_MAX, `it used ${(share * 100).toFixed(1)} % of a core`);
      await server.logged('net', said);
      await history.progress(5);      // on the connections that it had
      for (const connection of [...kept, ...late]) connection?.close();
      const from = Date.now();
      const served = async () => (await api(server).get('/health', { timeout: 1000 })).status === 200;
      await until(served, 'a newcomer to be served', { timeout: 5000 });
      const back = Date.now() - from;
      const next = await crowd(server, 5);
      assert.equal(next.length, 5, 'there is room again');
      for (const connection of next) connection.close();
      t.diagnostic(JSON.stringify({ letIn: kept.length, cpu: share.toFixed(3), back, ...await history.check() }));
    });

    test('comes and goes, faster than it can be served', async (t) => {
      history.load(2);
      for (let round = 0; round < 10; round++) {
        const kept = await crowd(server, 60);
        for (const connection of kept) connection.close();
      }
      await history.progress(20);
      t.diagnostic(JSON.stringify(await history.check()));
    });
  });
}
