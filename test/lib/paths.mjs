// Where things are, seen from the tests; and the one way to run a command to its end.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');

/** The binary under test: the sanitized build, unless TALLYD_BIN says otherwise. */
export const tallydPath = process.env.TALLYD_BIN || path.join(root, 'build/asan/tallyd');

/** For every process under test: a sanitizer's report must end it with a code of its own. */
export const sanitizerEnv = {
  ASAN_OPTIONS: 'exitcode=99:detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1',
  UBSAN_OPTIONS: 'exitcode=99:print_stacktrace=1:halt_on_error=1',
};

function findPostgres() {
  const base = '/usr/lib/postgresql';
  const majors = existsSync(base) ? readdirSync(base).filter((n) => /^\d+$/.test(n)) : [];
  for (const major of majors.sort((a, b) => b - a)) {
    if (existsSync(`${base}/${major}/bin/psql`)) return `${base}/${major}/bin`;
  }
  return '';
}
const postgresBin = findPostgres();

/** A program of PostgreSQL; not Debian's wrapper, which costs 100 ms a call. */
export const postgresTool = (name) => (postgresBin ? path.join(postgresBin, name) : name);

/** Runs a command to its end: { code, signal, stdout, stderr }. */
export function run(command, args, { env = {}, input = '', cwd = root } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** The same; anything but exit code 0 is an error. Returns what it printed. */
export async function runOrThrow(command, args, options) {
  const done = await run(command, args, options);
  if (done.code !== 0) {
    throw new Error(`${path.basename(command)} ${args.join(' ')}: ${done.signal ?? `exit code ${done.code}`}\n` +
      `${done.stdout}${done.stderr}`);
  }
  return done.stdout;
}
