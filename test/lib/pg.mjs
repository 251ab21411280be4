// PostgreSQL for the tests. `test/run` starts one cluster for all test files and names it in
// TALLY_TEST_PG; a test file run by hand starts its own. A database is a copy of a template that
// was migrated once. A test that wants to hurt PostgreSQL takes a cluster of its own.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { postgresTool, root, run, runOrThrow, sanitizerEnv, tallydPath } from './paths.mjs';

const script = path.join(root, 'scripts/postgres');
const TEMPLATE = 'tally_template';
const ours = new Set();

// The last resort is the guard; this is for a test process that ends in any regular way.
process.on('exit', () => {
  for (const cluster of ours) spawnSync(script, ['remove', cluster.dir], { stdio: 'ignore' });
});

// Started by test/run: without it there is nobody left to tell anything to.
if (process.env.TALLY_TEST_PG) {
  const runner = process.ppid;
  setInterval(() => { if (process.ppid !== runner) process.exit(1); }, 500).unref();
  process.on('SIGTERM', () => process.exit(143));
}

/** One private cluster: see scripts/postgres for what the verbs do. */
export class Cluster {
  constructor(dir) {
    this.dir = dir;
    this.count = 0;
  }

  /** A new cluster, removed when this process ends, however it ends. */
  static async start(settings = {}) {
    const cluster = new Cluster(mkdtempSync(path.join(tmpdir(), 'tally-test.')));
    ours.add(cluster);
    spawn(script, ['guard', cluster.dir, String(process.pid)], { detached: true, stdio: 'ignore' }).unref();
    await cluster.start(settings);
    return cluster;
  }

  async start(settings = { fsync: 'off' }) {
    const pairs = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    this.tallyUrl = (await runOrThrow(script, ['start', this.dir, ...pairs])).trim();
  }

  stop() { return runOrThrow(script, ['stop', this.dir]); }
  kill9() { return runOrThrow(script, ['kill9', this.dir]); }
  pause() { return runOrThrow(script, ['pause', this.dir]); }
  resume() { return runOrThrow(script, ['resume', this.dir]); }

  async remove() {
    await runOrThrow(script, ['remove', this.dir]);
    ours.delete(this);
  }

  url(database = 'postgres') {
    return this.tallyUrl.replace('///tally?', `///${database}?`);
  }

  /** A database of its own; `migrated: false` gives an empty one. Returns its URL. */
  async freshDatabase({ migrated = true } = {}) {
    if (migrated) await (this.template ??= this.makeTemplate());
    const name = `t_${process.pid}_${++this.count}`;
    await execute(this.url(), `CREATE DATABASE ${name} TEMPLATE ${migrated ? TEMPLATE : 'template1'}`);
    return this.url(name);
  }

  /** Several test processes may come here at once: each migrates its own, one of them wins the name. */
  async makeTemplate() {
    const known = `SELECT 1 AS known FROM pg_database WHERE datname = '${TEMPLATE}'`;
    if ((await query(this.url(), known)).length) return;
    const mine = `${TEMPLATE}_${process.pid}`;
    await execute(this.url(), `CREATE DATABASE ${mine}`);
    await tallyd(['migrate'], { database: this.url(mine) });
    const rename = `ALTER DATABASE ${mine} RENAME TO ${TEMPLATE}`;
    const won = await run(postgresTool('psql'), ['-Xq', this.url(), '-c', rename]);
    if (won.code === 0) return;
    if (!(await query(this.url(), known)).length) throw new Error(won.stderr);
    await execute(this.url(), `DROP DATABASE ${mine}`);
  }
}

let shared;

/** The cluster that all test files use together. */
export function sharedCluster() {
  shared ??= (async () => {
    if (!process.env.TALLY_TEST_PG) return Cluster.start({ fsync: 'off' });
    const cluster = new Cluster(process.env.TALLY_TEST_PG);
    cluster.tallyUrl = (await runOrThrow(script, ['url', cluster.dir])).trim();
    return cluster;
  })();
  return shared;
}

export async function freshDatabase(options) {
  return (await sharedCluster()).freshDatabase(options);
}

/** The rows of one SELECT, or of one INSERT, UPDATE or DELETE with RETURNING, as objects. */
export async function query(url, sql) {
  const text = await execute(url, `WITH q AS (${sql}\n) SELECT coalesce(json_agg(q), '[]') FROM q`);
  return JSON.parse(text);
}

/** Any SQL, also several statements; returns psql's bare text. */
export async function execute(url, sql) {
  return runOrThrow(postgresTool('psql'), ['-XqAt', '-v', 'ON_ERROR_STOP=1', url, '-f', '-'], { input: sql });
}

/** Runs a command of tallyd's, such as ['audit'], to its end; an exit code but 0 is an error. */
export function tallyd(args, { database, env = {}, binary = tallydPath } = {}) {
  const settings = { ...sanitizerEnv, TALLY_LOG_FORMAT: 'json', TALLY_DATABASE_URL: database, ...env };
  return runOrThrow(binary, args, { env: settings });
}
