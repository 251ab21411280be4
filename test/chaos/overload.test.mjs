// Rude clients by the hundred, together with good ones: sockets that never read, heads and bodies
// that do not come, floods of pipelined requests, more work than the queues take. The good ones get
// right answers, in time; memory stays bounded.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { api, raw, socket } from '../lib/client.mjs';
import { requestOf, startHistory } from '../lib/history.mjs';
import { balanceOf } from '../lib/people.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { residentMiB } from '../lib/proc.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const GROWTH_MAX = 400;      // MiB under ASan, whose redzones and quarantine count too
const FLOOD_MAX = 220;       // MiB for 50 floods, the same
const PATIENCE = 5000;       // ms that a good client waits at most

const many = (n, make) => Promise.all(Array.from({ length: n }, (_, at) => make(at)));

describe('rude clients', () => {
  let server;
  let history;
  const rude = [];
  before(async () => {
    server = await startServer({ env: { ASAN_OPTIONS: 'exitcode=99:detect_leaks=1:quarantine_size_mb=32' } });
    history = await startHistory(server, { people: 4 });
  });
  after(async () => {
    for (const one of rude) one.close();
    await history?.end();
    await server?.stop();
  });

  const head = (person) => `POST /api/transactions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${person.token}\r\n` +
    'Content-Type: application/json\r\n';

  test('500 sockets that never read, 500 slow heads, 200 half bodies: the others do not notice', async (t) => {
    const before = residentMiB(server.pid);
    history.load(8);
    await history.progress(50);
    const deaf = await many(500, async (n) => {
      const one = await socket(server, { token: history.people[n % 4].token, timeout: 20_000 });
      one.pause();
      return { close: () => one.terminate() };
    });
    const slow = await many(500, async () => {
      const one = await raw(server);
      await one.send('GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ');
      return one;
    });
    const halves = await many(200, async (n) => {
      const one = await raw(server);
      await one.send(`${head(history.people[n % 4])}Content-Length: 100000\r\n\r\n{"amount":`);
      return one;
    });
    rude.push(...deaf, ...slow, ...halves);
    history.slowest = 0;
    let heads = 0;
    for (const end = Date.now() + 6000; Date.now() < end; heads++) {
      for (const one of slow) one.send('x').catch(() => {});
      await pause(500);
    }
    await history.progress(50);
    const after = residentMiB(server.pid);
    assert.ok(history.slowest < PATIENCE, `a good client waited ${history.slowest} ms`);
    await until(() => slow.every(({ ended }) => ended), 'the slow heads to be cut off', { timeout: 15_000 });
    t.diagnostic(JSON.stringify({ heads, before, after, ...await history.check() }));
    assert.ok(after - before < GROWTH_MAX, `it grew from ${before} to ${after} MiB`);
    for (const one of rude.splice(0)) one.close();
  });

  test('floods of pipelined requests, read by nobody', async (t) => {
    const before = residentMiB(server.pid);
    history.load(8);
    const flood = `GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(2000);
    const floods = await many(50, async () => {
      const one = await raw(server);
      one.pause();
      one.send(flood).catch(() => {});
      return one;
    });
    rude.push(...floods);
    history.slowest = 0;
    await history.progress(100);
    await pause(2000);
    const after = residentMiB(server.pid);
    assert.ok(history.slowest < PATIENCE, `a good client waited ${history.slowest} ms`);
    t.diagnostic(JSON.stringify({ before, after, ...await history.check() }));
    assert.ok(after - before < FLOOD_MAX, `it grew from ${before} to ${after} MiB`);
    for (const one of rude.splice(0)) one.close();
  });
});

describe('more work than the queues take', () => {
  test('the bound answers 503 with Retry-After at once, and all is well afterwards', async (t) => {
    const database = await freshDatabase();
    const proxy = await startProxy(database);
    const server = await startServer({ database: proxy.url });
    const history = await startHistory(server, { people: 3, database });
    const before = residentMiB(server.pid);
    const only = ({ startup }) => startup?.application_name === 'ledger';
    proxy.freeze({ only });
    // Each connection may have 64 requests under way; the ledger takes 20,000 postings.
    const connections = await many(400, () => raw(server, { timeout: 30_000 }));
    const wishes = connections.map(() => Array.from({ length: 60 }, () => history.wish()));
    for (const [n, connection] of connections.entries()) connection.send(wishes[n].map(requestOf).join(''));
    await pause(1500);
    const full = await history.ask(history.wish());
    assert.equal(full.last?.status, 503, 'the queue is full');
    assert.ok(Number(full.last.headers['retry-after']) > 0);
    for (const person of history.people) await balanceOf(person, person.account);
    assert.equal((await api(server).get('/health')).status, 200);
    const grown = residentMiB(server.pid) - before;
    proxy.unfreeze();
    const statuses = {};
    await Promise.all(connections.map(async (connection, n) => {
      for (const wish of wishes[n]) {
        const reply = await connection.reply();
        statuses[reply.status] = (statuses[reply.status] ?? 0) + 1;
        history.note(wish, { ...reply, json: JSON.parse(reply.text) });
      }
      connection.close();
    }));
    t.diagnostic(JSON.stringify({ statuses, grown: Math.round(grown) }));
    assert.ok(statuses[503] >= 3500, 'those beyond the bound were refused');
    assert.ok(grown < 2 * GROWTH_MAX, `it grew by ${grown} MiB`);
    for (const follower of history.followers) await follower.stop();
    history.followers = [];      // more than 1,000 events at once are a resync's business
    t.diagnostic(JSON.stringify(await history.check()));
    await history.end();
    await server.stop();
    await proxy.close();
  });
});
