// Backends end at random moments under load: those of the ledger, of the reads, of the change
// stream. Clients get answers, 200 or 503 with Retry-After; the rest is the history's to say.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { startHistory } from '../lib/history.mjs';
import { query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

let server;
let history;
before(async () => {
  server = await startServer();
  history = await startHistory(server);
});
after(async () => {
  await history?.end();
  await server?.stop();
});

/** Ends backends of this database; `which`: a condition on pg_stat_activity. Returns how many. */
async function terminate(which) {
  const rows = await query(server.database, `SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND (${which})`);
  return rows.length;
}

/** Reads that go to the database, while the others write. */
async function reader(person, state) {
  while (!state.over) {
    const reply = await person.api.get('/api/transactions?limit=5', { timeout: 12_000 });
    const fine = reply.status === 200 || (reply.status === 503 && reply.headers['retry-after']);
    assert.ok(fine, `${reply.status} ${reply.text}`);
    state[reply.status] = (state[reply.status] ?? 0) + 1;
    await pause(3);
  }
}

const KINDS = {
  ledger: "application_name LIKE '%ledger%'",
  read: "application_name LIKE '%read%'",
  'change stream': "backend_type = 'walsender'",
  every: 'true',
};

describe('pg_terminate_backend under load', () => {
  for (const [name, which] of Object.entries(KINDS)) {
    test(`${name} backends, eight times`, async (t) => {
      const state = { over: false };
      history.load();
      const readers = history.people.slice(0, 3).map((person) => reader(person, state));
      let killed = 0;
      try {
        while (killed < 8) {
          await history.progress(10 + Math.floor(Math.random() * 20));
          killed += await terminate(which);
        }
        await history.progress(30);
      } finally {
        state.over = true;
      }
      await Promise.all(readers);
      await server.ready({ timeout: 5000 });
      t.diagnostic(JSON.stringify({ killed, reads: state, ...await history.check() }));
      assert.equal(history.counts.broken, 0, 'every request was answered');
    });
  }

  test('one backend more whenever the stream is about to be live', async (t) => {
    history.load(4);
    let killed = 0;
    await until(async () => {
      killed += await terminate(KINDS['change stream']);
      return killed >= 12;
    }, 'twelve walsenders', { timeout: 20_000 });
    await server.ready({ timeout: 5000 });
    t.diagnostic(JSON.stringify({ killed, ...await history.check() }));
  });
});
