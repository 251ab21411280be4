// Statements that are held up in the database, so that a test can look at what is between two of them, or kill the
// server there.
import { spawn } from 'node:child_process';
import { postgresTool } from './paths.mjs';
import { execute, query } from './pg.mjs';
import { until } from './wait.mjs';

/** Runs SQL in a transaction and keeps it open until end(): with it the locks it took. */
export async function holding(database, sql) {
  const psql = spawn(postgresTool('psql'), ['-XqAt', '-v', 'ON_ERROR_STOP=1', database],
    { stdio: ['pipe', 'pipe', 2] });
  // A test that fails must not keep its file, nor the others' servers, waiting for these locks.
  for (const handle of [psql, psql.stdin, psql.stdout]) handle.unref();
  process.on('exit', () => psql.kill());
  let said = '';
  psql.stdout.setEncoding('utf8').on('data', (text) => { said += text; });
  const over = new Promise((resolve) => { psql.on('close', resolve); });
  psql.stdin.write(`BEGIN;\n${sql};\nSELECT 'held';\n`);
  await until(() => said.includes('held'), `${sql} to hold`);
  return { end: async () => { psql.ref(); psql.stdin.end('ROLLBACK;\n'); await over; } };
}

const WAITING = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;

/** A statement with this text waits for a lock. */
export const blocked = (database, text) => until(async () =>
  (await query(database, `${WAITING} AND query LIKE '%${text}%' AND pid <> pg_backend_pid()`)).length > 0,
`a statement with ${text} to wait`);

/** Ends the sessions that wait, as if the database had gone with their client: nothing of them is committed. */
export const cutBlocked = (database) =>
  execute(database, `SELECT pg_terminate_backend(pid) FROM (${WAITING} AND pid <> pg_backend_pid()) AS waiting`);
