// How long the server waits, with the times it really has: for the rest of a body, for the next request, for an
// anonymous socket to subscribe; and what it forgets after a minute, which of several processes is done once only.
// Everything waits at the same time.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { raw, socket } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const HEAD = 'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const MANY = 6000;        // more than one statement deletes
let server;
before(async () => {
  server = await startServer({ workers: 2, env: { TALLY_LOG_LEVEL: 'debug' } });
});
after(() => server?.stop());

async function took(work) {
  const from = Date.now();
  const value = await work();
  return [Date.now() - from, value];
}
const about = (ms, seconds) =>
  assert.ok(ms > seconds * 1000 - 500 && ms < seconds * 1000 + 3000, `${ms} ms, not about ${seconds} s`);
const long = { timeout: 110_000 };

describe('the server', { concurrency: true }, () => {
  test('waits 30 s for a body that has stopped coming, and says so', long, async () => {
    const connection = await raw(server, long);
    await connection.send(`${HEAD}Content-Length: 100\r\n\r\n{"email":`);
    const [ms, reply] = await took(() => connection.reply());
    assert.equal(reply.status, 408);
    about(ms, 30);
    await connection.closed();
  });

  test('and for a chunked one', long, async () => {
    const connection = await raw(server, long);
    await connection.send(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\n{"ema\r\n`);
    const [ms, reply] = await took(() => connection.reply());
    assert.equal(reply.status, 408);
    about(ms, 30);
    await connection.closed();
  });

  test('waits 75 s for the next request, and closes without a word', long, async () => {
    const connection = await raw(server, long);
    await connection.send('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await connection.reply()).status, 200);
    const [ms, said] = await took(() => connection.closed());
    assert.equal(said, '');
    about(ms, 75);
  });

  test('as for the first', long, async () => {
    const connection = await raw(server, long);
    const [ms, said] = await took(() => connection.closed());
    assert.equal(said, '');
    about(ms, 75);
  });

  test('closes a socket that has not said who it is and hears nothing after 60 s', long, async () => {
    const ws = await socket(server);
    assert.equal((await ws.next('hello')).userId, null);
    const [ms, { code }] = await took(() => ws.closed(long));
    assert.equal(code, 4401);
    about(ms, 60);
  });

  test('but not one that has said it meanwhile', long, async () => {
    const ada = await register(server);
    const ws = await socket(server);
    await ws.next('hello');
    ws.send({ type: 'auth', token: ada.token });
    await ws.until((frame) => frame.type === 'hello' && frame.userId === ada.id);
    await new Promise((resolve) => { setTimeout(resolve, 65_000); });
    ws.send({ type: 'ping' });
    await ws.next('pong');
    await ws.close();
  });

  test('forgets what is past a minute after its start, each row by one process, and nothing else', long, async () => {
    const kept = await register(server);
    const count = async (table, where) =>
      Number((await query(server.database, `SELECT count(*) AS n FROM ${table} WHERE ${where}`))[0].n);
    await execute(server.database, `
      INSERT INTO attempts (kind, target, created_at)
      SELECT 'test', 'old', now() - interval '2 days' FROM generate_series(1, ${MANY});
      INSERT INTO attempts (kind, target, created_at) VALUES ('test', 'new', now() - interval '23 hours');
      INSERT INTO one_time_tokens (token_hash, kind, user_id, expires_at)
      SELECT sha256('old'), 'VERIFY_EMAIL', id, now() - interval '25 hours' FROM users LIMIT 1;
      INSERT INTO sessions (jti, user_id, surface, expires_at)
      SELECT 'old', id, 'bank', now() - interval '25 hours' FROM users LIMIT 1;`);
    await until(async () => await count('attempts', "target = 'old'") === 0, 'the old attempts to be gone',
      { timeout: 90_000, every: 500 });
    assert.equal(await count('one_time_tokens', "token_hash = sha256('old')"), 0);
    assert.equal(await count('sessions', "jti = 'old'"), 0);
    assert.equal(await count('attempts', "target = 'new'"), 1);
    assert.equal((await kept.api.get('/api/auth/me')).status, 200, 'who is signed in stays so');
    const deleted = () => server.logs.filter(({ area, event }) => area === 'cleanup' && event === 'deleted');
    await until(() => deleted().length >= 3, 'both processes to have looked', { timeout: 10_000 });
    const sum = (name) => deleted().reduce((n, line) => n + Number(line[name]), 0);
    assert.deepEqual([sum('attempts'), sum('links'), sum('sessions')], [MANY, 1, 1]);
  });
});
