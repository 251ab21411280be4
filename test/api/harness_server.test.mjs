// How the harness watches the server: a death or a report must make a test fail, whatever the test
// itself does about it. The server here is a stand-in that dies when asked to.
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { api } from '../lib/client.mjs';
import { root, run } from '../lib/paths.mjs';
import { startServer } from '../lib/server.mjs';

const binary = path.join(root, 'test/lib/fake_tallyd.mjs');
const start = (options) => startServer({ binary, database: 'postgres:///none', ...options });

describe('a watched server', () => {
  test('keeps its port over restarts and kills', async () => {
    const server = await start();
    const { port, pid } = server;
    assert.equal((await api(server).get('/')).text, 'ok');
    await server.restart();
    assert.notEqual(server.pid, pid);
    await server.restart({ kill: true });
    assert.equal(server.port, port);
    assert.equal((await api(server).get('/')).text, 'ok');
    assert.equal(await server.command('audit'), 'audit\n');
    await server.stop();
  });

  test('has a port before it starts when it is several processes', async () => {
    const server = await start({ workers: 2 });
    assert.ok((await server.logged('http', 'listening')).port > 0);
    await server.stop();
  });

  test('must end with exit code 0 after SIGTERM', async () => {
    const server = await start({ env: { EXIT_CODE: '7' } });
    await assert.rejects(server.stop(), /after SIGTERM: exit code 7/);
  });

  test('that does not start says why', async () => {
    await assert.rejects(start({ args: ['nonsense'] }), /the server died unexpectedly \(exit code 0\)/);
  });
});

// A test file whose only test asks the server for `target`, notices nothing, and passes.
async function fileThatAsksFor(target, stop) {
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-file.'));
  const url = (name) => JSON.stringify(pathToFileURL(path.join(root, 'test/lib', name)));
  writeFileSync(path.join(dir, 'a.mjs'), `
    import { test } from 'node:test';
    import { api } from ${url('client.mjs')};
    import { startServer } from ${url('server.mjs')};
    import { until } from ${url('wait.mjs')};
    test('notices nothing', async () => {
      const server = await startServer({ binary: ${JSON.stringify(binary)}, database: 'postgres:///none' });
      await api(server).get('${target}').catch(() => {});
      if (${stop}) await server.stop();
      else await until(() => server.result, 'its end');
    });`);
  const done = await run(process.execPath, [path.join(dir, 'a.mjs')], { env: { NODE_TEST_CONTEXT: undefined } });
  rmSync(dir, { recursive: true });
  return { ...done, said: done.stdout + done.stderr };
}

describe('a test file', () => {
  test('fails when its server died, though its tests pass', async () => {
    const { code, said } = await fileThatAsksFor('/die', false);
    assert.match(said, /^# pass 1$|ℹ pass 1/m);
    assert.match(said, /the server died unexpectedly \(exit code 3\)/);
    assert.equal(code, 1);
  });

  test('fails in stop() when a sanitizer reported', async () => {
    const { code, said } = await fileThatAsksFor('/report', true);
    assert.match(said, /stopped by a report \(exit code 99\)[^]*heap-use-after-free/);
    assert.equal(code, 1);
  });
});
