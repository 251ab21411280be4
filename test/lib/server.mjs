// The server under test: the real binary on a free port with a database of its own. It is watched:
// when it dies or a sanitizer reports, stop() fails, and so does the test file, stop() or not.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { agentFor, api } from './client.mjs';
import { sanitizerEnv, tallydPath } from './paths.mjs';
import { freshDatabase, tallyd } from './pg.mjs';
import { until, within } from './wait.mjs';

const SECRET = 'a secret of the tests, forty characters!';
const REPORT = /(Address|Leak|Thread|Memory|UndefinedBehavior)Sanitizer|runtime error:|defect: must\(/
const LINES_KEPT = 50_000;
const running = new Set();
const faults = [];
const directories = new Set();

process.on('exit', () => {
  for (const server of running) server.child.kill('SIGKILL');
  for (const dir of directories) rmSync(dir, { recursive: true, force: true });
  if (faults.length) process.exitCode = 1;
});

/** A TCP port that was free a moment ago. */
export async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => { probe.on('listening', resolve); });
  const { port } = probe.address();
  await new Promise((resolve) => { probe.close(resolve); });
  return port;
}

/**
 * Starts a server and waits until /ready says 200 (`ready: false`: until it listens).
 * database: a URL (default: a fresh one). env: settings on top. workers: more than one process.
 * limits: what prlimit takes, such as { nofile: 64 }.
 * A test ends it with stop(); one that forgets has it killed at the end of its file.
 */
export async function startServer({ ready = true, database, ...options } = {}) {
  const server = new Server({ ...options, database: database ?? await freshDatabase() });
  await server.start({ ready });
  return server;
}

export class Server {
  constructor({ env = {}, workers = 1, binary = tallydPath, args = ['serve'], limits = {}, database }) {
    Object.assign(this, { env, workers, binary, args, limits, database });
    this.host = '127.0.0.1';
    this.scheme = env.TLS_CERT ? 'https' : 'http';
    this.dataDir = mkdtempSync(path.join(tmpdir(), 'tally-data.'));
    directories.add(this.dataDir);
    this.port = 0;
    this.logs = [];        // parsed lines, newest last
    this.output = '';      // what was no JSON: reports, panics
    this.expectDeath = false;
  }

  get url() { return `${this.scheme}://${this.host}:${this.port}`; }
  get pid() { return this.child.pid; }

  async start({ ready = true } = {}) {
    if (!this.port && this.workers > 1) this.port = await freePort();
    this.expectDeath = false;
    const from = this.logs.length;
    this.spawn();
    try {
      const listening = () => this.logs.slice(from).find((line) => line.area === 'http' && line.event === 'listening');
      const { port } = await this.while(listening, 'the server to listen');
      this.port ||= Number(port);
      this.agent = agentFor(this.url);
      if (ready) await this.ready();
    } catch (error) {
      await this.kill();
      error.message += `\n${this.said()}`;
      throw error;
    }
  }

  spawn() {
    const settings = {
      ...sanitizerEnv,
      PATH: process.env.PATH,
      HOME: this.dataDir,
      TALLY_HOST: this.host,
      TALLY_PORT: String(this.port),
      TALLY_DATABASE_URL: this.database,
      TALLY_DATA_DIR: this.dataDir,
      TALLY_LOG_FORMAT: 'json',
      TALLY_JWT_SECRET: SECRET,
      TALLY_RATE_LIMIT: 'off',
      WORKERS: String(this.workers),
      ...this.env,
    };
    // The kernel kills it when this process ends, even if that is by SIGKILL.
    const limits = Object.entries(this.limits).map(([name, value]) => `--${name}=${value}`);
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', 'prlimit', ...limits, this.binary, ...this.args],
      { cwd: this.dataDir, env: settings, stdio: ['ignore', 'pipe', 'pipe'] });
    const child = this.child;
    running.add(this);
    this.read(child.stderr);
    child.stdout.setEncoding('utf8').on('data', (text) => { this.output += text; });
    this.exited = new Promise((resolve) => {
      child.on('close', (code, signal) => { this.died(child, code, signal); resolve({ code, signal }); });
    });
    for (const handle of [child, child.stdout, child.stderr]) handle.unref();
  }

  read(stream) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.take(line);
    }).on('end', () => { if (rest) this.take(rest); });
  }

  take(line) {
    try {
      this.logs.push(JSON.parse(line));
      if (this.logs.length > LINES_KEPT) this.logs.splice(0, LINES_KEPT / 2);
    } catch {
      this.output += `${line}\n`;
    }
  }

  died(child, code, signal) {
    if (child !== this.child) return;
    running.delete(this);
    this.agent?.destroy();
    this.result = { code, signal };
    const report = REPORT.test(this.output);
    if (this.expectDeath && !report) return;
    const what = report ? 'was stopped by a report' : 'died unexpectedly';
    this.fault = new Error(`the server ${what} (${signal ?? `exit code ${code}`})\n${this.said()}`);
    if (this.starting) return;
    faults.push(this.fault);
    console.error(this.fault.message);
  }

  /** What it said last, for messages. */
  said() {
    const lines = this.logs.slice(-15).map((line) => JSON.stringify(line)).join('\n');
    return `${lines}\n${this.output.slice(-6000)}`;
  }

  /** Waits for a condition as long as the server lives. */
  async while(condition, what, timeout = 20_000) {
    this.starting = true;
    try {
      return await until(() => {
        if (!running.has(this)) throw Object.assign(this.fault ?? new Error('the server is gone'), { final: true });
        return condition();
      }, what, { timeout, final: (error) => error.final });
    } finally {
      this.starting = false;
    }
  }

  ready({ timeout = 20_000 } = {}) {
    const answers = async () => (await api(this).get('/ready', { timeout: 2000 }).catch(() => ({}))).status === 200;
    return this.while(answers, '/ready to say 200', timeout);
  }

  /** Waits for a log line of this area and event (and whatever else `fits` demands). */
  logged(area, event, { fits = () => true, from = 0, timeout } = {}) {
    return until(() => this.logs.slice(from).find((line) => line.area === area && line.event === event && fits(line)),
      `the log line ${area} ${event}`, { timeout });
  }

  async gone(timeout, what) {
    this.child.ref();
    return within(this.exited, timeout, what);
  }

  /** SIGTERM: it must end in order, with exit code 0 and nothing reported. */
  async stop({ timeout = 20_000 } = {}) {
    if (this.fault) throw this.fault;
    if (running.has(this)) {
      this.expectDeath = true;
      this.child.kill('SIGTERM');
      await this.gone(timeout, 'the server to end after SIGTERM').catch(async (error) => {
        error.message += `\n${this.said()}`;
        await this.kill();
        throw error;
      });
    }
    if (this.fault) throw this.fault;
    if (this.result.code !== 0 && !this.killed) {
      throw new Error(`after SIGTERM: ${this.result.signal ?? `exit code ${this.result.code}`}\n${this.said()}`);
    }
  }

  /** SIGKILL. Its data directory and its port stay, for start(). */
  async kill() {
    if (!running.has(this)) return;
    this.expectDeath = true;
    this.killed = true;
    this.child.kill('SIGKILL');
    await this.gone(10_000, 'the killed server to be gone');
  }

  /** Ends it, in order or by `kill`, and starts it again on the same port. */
  async restart({ kill = false, ready = true } = {}) {
    if (kill) await this.kill();
    else {
      this.expectDeath = true;
      this.child.kill('SIGTERM');
      await this.gone(20_000, 'the server to end after SIGTERM');
      if (this.result.code !== 0) throw new Error(`after SIGTERM: exit code ${this.result.code}\n${this.said()}`);
    }
    this.killed = false;
    await this.start({ ready });
  }

  /** Runs a command of tallyd's on this server's database: server.command('audit'). */
  command(...args) {
    const env = { TALLY_DATA_DIR: this.dataDir, TALLY_JWT_SECRET: SECRET, ...this.env };
    return tallyd(args, { database: this.database, binary: this.binary, env });
  }
}
