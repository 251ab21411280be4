// The connection between server and PostgreSQL breaks after the commit was sent and before its
// answer came, at every byte of it. Whether it happened is unknown then; the server asks for the
// key again, and its client gets the truth.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { startHistory } from '../lib/history.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { within } from '../lib/wait.mjs';

const ledger = { only: ({ startup }) => startup?.application_name === 'ledger' };
const stream = { only: ({ replication }) => replication };

let proxy;
let server;
let history;
before(async () => {
  const database = await freshDatabase();
  proxy = await startProxy(database);
  server = await startServer({ database: proxy.url });
  history = await startHistory(server, { people: 3, database });
});
after(async () => {
  await history?.end();
  await server?.stop();
  await proxy?.close();
});

/** How many bytes go by in a direction while one transfer is made. */
async function sizeOf(direction) {
  let size = 0;
  const count = (bytes) => {
    size += bytes.length;
    return -1;
  };
  proxy.cutWhen(direction, count, ledger).catch(() => {});
  const { answer } = await history.ask(history.wish());
  assert.ok(answer);
  proxy.pass();
  return size;
}

const ledgerUp = () => server.ready({ timeout: 5000 });

/** One transfer, cut at byte n of a direction. The client must get the truth, or be told to ask again. */
async function cutAt(direction, n) {
  await ledgerUp();
  const cut = proxy.cutAfter({ [direction]: n, ...ledger });
  const operation = await history.ask(history.wish());
  const happened = await Promise.race([cut.then(() => true), pause(50).then(() => false)]);
  proxy.pass();
  return { operation, happened };
}

describe('the answer to a commit is lost', () => {
  test('at each byte of the answer', async (t) => {
    await history.ask(history.wish());
    const size = await sizeOf('fromServer');
    let settled = 0;
    for (let n = 0; n < size; n++) {
      const { operation, happened } = await cutAt('fromServer', n);
      assert.ok(happened, `it was cut at byte ${n} of ${size}`);
      if (operation.answer) settled += 1;
    }
    t.diagnostic(`${size} bytes; the server itself found out ${settled} times`);
    assert.equal(settled, size, 'the server asks again before it answers');
    t.diagnostic(JSON.stringify(await history.check()));
  });

  test('before the commit has arrived, at places all over the request', async (t) => {
    const size = await sizeOf('toServer');
    for (let n = 0; n < size; n += Math.ceil(size / 60)) await cutAt('toServer', n);
    t.diagnostic(JSON.stringify({ size, ...await history.check() }));
  });

  test('swallowed: the connection lives and says nothing', async (t) => {
    await ledgerUp();
    history.load(8);
    await history.progress(20);
    for (let round = 0; round < 3; round++) {
      proxy.swallowReplies(ledger);
      await pause(400);
      proxy.pass();
      await history.progress(20);
    }
    t.diagnostic(JSON.stringify(await history.check()));
  });

  test('under load, at random bytes in both directions', async (t) => {
    await ledgerUp();
    history.load();
    for (let round = 0; round < 25; round++) {
      const direction = round % 2 ? 'toServer' : 'fromServer';
      await within(proxy.cutAfter({ [direction]: Math.floor(Math.random() * 6000), ...ledger }), 10_000, 'the cut');
      await history.progress(5);
    }
    t.diagnostic(JSON.stringify(await history.check()));
  });

  test('the change stream is cut at random bytes: no event is lost, none comes twice', async (t) => {
    await ledgerUp();
    history.load();
    for (let round = 0; round < 25; round++) {
      await within(proxy.cutAfter({ fromServer: Math.floor(Math.random() * 8000), ...stream }), 10_000, 'the cut');
      await history.progress(5);
    }
    t.diagnostic(JSON.stringify(await history.check()));
    for (const { connections } of history.followers) assert.equal(connections, 1, 'the clients did not notice');
  });

  test('every connection at once, again and again', async (t) => {
    await ledgerUp();
    history.load();
    for (let round = 0; round < 10; round++) {
      await history.progress(20);
      proxy.cut();
    }
    await history.progress(20);
    t.diagnostic(JSON.stringify(await history.check()));
    assert.equal(history.counts.broken, 0, 'every request was answered');
  });
});
