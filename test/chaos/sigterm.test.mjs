// SIGTERM under load: what was asked before is answered, sockets are told that the server goes, the
// exit code is 0, and whoever asks another server, or the next one, with the same key learns the
// truth.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { raw } from '../lib/client.mjs';
import { requestOf, startHistory } from '../lib/history.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const DRAIN_MAX = 15_000;
const open = [];
after(async () => { for (const history of open) await history.end(); });

async function start(options) {
  const server = await startServer(options);
  const history = await startHistory(server);
  open.push(history);
  return { server, history };
}

/** The bytes of a transfer, and its operation in the history. */
function request(history) {
  const operation = history.wish();
  return { operation, bytes: requestOf(operation) };
}

const took = async (work) => {
  const from = Date.now();
  await work;
  return Date.now() - from;
};

describe('SIGTERM', () => {
  for (const workers of [1, 2]) {
    test(`under load, ${workers} process${workers > 1 ? 'es' : ''}, three times`, async (t) => {
      const { server, history } = await start({ workers });
      const times = [];
      history.load(16);
      for (let round = 0; round < 3; round++) {
        await history.progress(60);
        // Who is still on his way back from the last round has no socket that could be told.
        await until(() => history.followers.every(({ connected }) => connected), 'each socket to be back');
        const seen = history.followers.map(({ codes }) => codes[1001] ?? 0);
        times.push(await took(server.restart()));
        // Of two processes the one may still take whom the other has sent away, and send him away, too.
        const told = () => history.followers.every(({ codes }, n) => codes[1001] > seen[n]);
        await until(told, 'each socket to be told 1001');
      }
      await history.progress(60);
      t.diagnostic(JSON.stringify({ times, ...await history.check() }));
      for (const { codes } of history.followers) {
        assert.deepEqual(codes, { 1001: codes[1001] });
        assert.ok(workers > 1 ? codes[1001] <= 3 * workers : codes[1001] === 3, `told ${codes[1001]} times`);
      }
      await server.stop();
    });
  }

  test('what is under way is answered, also what the database answers late; nobody new is let in', async (t) => {
    const database = await freshDatabase();
    const proxy = await startProxy(database);
    const server = await startServer({ database: proxy.url });
    const history = await startHistory(server, { people: 3, database });
    open.push(history);
    const only = ({ startup }) => startup?.application_name === 'ledger';
    const connections = await Promise.all(Array.from({ length: 20 }, () => raw(server)));
    proxy.freeze({ only });
    const requests = connections.map(() => request(history));
    await Promise.all(connections.map((connection, n) => connection.send(requests[n].bytes)));
    await pause(300);        // they are in the ledger now
    const ending = server.stop({ timeout: DRAIN_MAX });
    await server.logged('tallyd', 'stopping');
    await assert.rejects(raw(server), 'a new connection is refused');
    await pause(500);
    assert.ok(connections.every(({ ended, bytes }) => !ended && !bytes.length), 'they are waited for');
    proxy.unfreeze();
    const replies = await Promise.all(connections.map((connection) => connection.reply()));
    for (const [n, reply] of replies.entries()) {
      history.note(requests[n].operation, { ...reply, json: JSON.parse(reply.text) });
      assert.equal(reply.status, 200);
      assert.equal(reply.headers.connection, 'close');
    }
    t.diagnostic(`ended ${await took(ending)} ms after the last answer`);
    await server.start();
    t.diagnostic(JSON.stringify(await history.check()));
    await server.stop();
    await proxy.close();
  });

  test('pipelined requests that have arrived are all answered, in order', async (t) => {
    const { server, history } = await start({});
    let answered = 0;
    for (let round = 0; round < 3; round++) {
      const connections = await Promise.all(Array.from({ length: 10 }, () => raw(server)));
      const sets = connections.map(() => Array.from({ length: 8 }, () => request(history)));
      const texts = sets.map((set) => set.map(({ bytes }) => bytes).join(''));
      await Promise.all(connections.map((connection, n) => connection.send(texts[n])));
      await connections[0].wait(() => connections[0].bytes.length > 0, 'the first answer');
      await server.restart();
      for (const [n, connection] of connections.entries()) {
        await until(() => connection.ended, 'the connection to end');
        const set = sets[n];
        while (connection.bytes.length) {
          const reply = await connection.reply();
          history.note(set.shift().operation, { ...reply, json: JSON.parse(reply.text) });
          answered += 1;
          if (reply.headers.connection === 'close') assert.equal(connection.bytes.length, 0, 'nothing follows a close');
        }
      }
    }
    assert.ok(answered >= 30, 'at least what had been read was answered');
    t.diagnostic(JSON.stringify({ answered, of: 240, ...await history.check() }));
    await server.stop();
  });

  test('idle, half-sent and unread connections do not hold it up', async () => {
    const { server, history } = await start({});
    const connections = await Promise.all(Array.from({ length: 40 }, () => raw(server)));
    for (const [n, connection] of connections.entries()) {
      const { bytes } = request(history);
      if (n % 4 === 1) await connection.send(bytes.slice(0, 40));
      if (n % 4 === 2) await connection.send(bytes.slice(0, -5));
      if (n % 4 === 3) {
        connection.pause();
        await connection.send(`GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(50));
      }
    }
    await pause(100);
    const time = await took(server.stop({ timeout: 60_000 }));
    assert.ok(time < DRAIN_MAX + 7000, `it took ${time} ms`);
    for (const connection of connections) connection.close();
    await server.start();
    await history.check();
    await server.stop();
  });

  test('a rolling restart of two servers on one database: no client notices more than a cut', async (t) => {
    const { server, history } = await start({});
    const other = await startServer({ database: server.database });
    history.servers = [server, other];
    history.load(16);
    for (let round = 0; round < 2; round++) {
      for (const [n, one] of [server, other].entries()) {
        await history.progress(80);
        history.server = [other, server][n];      // where sockets go from now on
        await one.restart();
      }
    }
    await history.progress(80);
    t.diagnostic(JSON.stringify(await history.check()));
    await other.stop();
    await server.stop();
  });
});
