// The hourly clean-up, of which the first is a minute after the start: what is past goes, a bounded number at a time
// until nothing of it is left, and what is not past stays.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const MORE_THAN_TWO_ROUNDS = 10_300;
const YOUNG = 40;

let server;
before(async () => { server = await startServer(); });
after(() => server.stop());

const count = async (sql) => (await query(server.database, `SELECT count(*) AS n FROM ${sql}`))[0].n;

test('what is past goes, round after round, and the rest stays', { timeout: 150_000 }, async () => {
  const ada = await register(server);
  await execute(server.database, `
    INSERT INTO provider_logs (subject, subject_id, direction, body, created_at)
    SELECT 'checkout', 'old', 'in', '{}', now() - interval '90 days 1 hour'
    FROM generate_series(1, ${MORE_THAN_TWO_ROUNDS});
    INSERT INTO provider_logs (subject, subject_id, direction, body, created_at)
    SELECT 'checkout', 'young', 'in', '{}', now() - interval '89 days' FROM generate_series(1, ${YOUNG});
    INSERT INTO attempts (kind, target, created_at)
    SELECT 'test', 'old', now() - interval '25 hours' FROM generate_series(1, 5500);
    INSERT INTO attempts (kind, target, created_at) VALUES ('test', 'young', now() - interval '23 hours');
    INSERT INTO sessions (jti, user_id, surface, expires_at)
    SELECT 'old', id, 'bank', now() - interval '25 hours' FROM users WHERE email = '${ada.email}';
    INSERT INTO sessions (jti, user_id, surface, expires_at)
    SELECT 'young', id, 'bank', now() - interval '23 hours' FROM users WHERE email = '${ada.email}';
    INSERT INTO phone_codes (user_id, phone, code_hash, expires_at)
    SELECT id, '628', '', now() - interval '1 second' FROM users WHERE email = '${ada.email}'`);
  await until(async () => await count("provider_logs WHERE subject_id = 'old'") === 0
    && await count("attempts WHERE target = 'old'") === 0, 'what is past to go', { timeout: 120_000, every: 500 });
  assert.equal(await count("provider_logs WHERE subject_id = 'young'"), YOUNG);
  assert.deepEqual(await query(server.database, "SELECT target FROM attempts WHERE kind = 'test'"),
    [{ target: 'young' }]);
  assert.deepEqual(await query(server.database, "SELECT jti FROM sessions WHERE jti IN ('old', 'young')"),
    [{ jti: 'young' }]);
  assert.equal(await count('phone_codes'), 0);
  assert.equal((await ada.api.get('/api/auth/me')).status, 200, 'who is logged in stays so');
});
