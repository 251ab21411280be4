// Several processes share one port, and a Socket.IO session lives in one of them: a request that reaches
// another goes over with its connection. The client notices nothing, over TLS neither.
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { raw } from '../lib/client.mjs';
import { startServer } from '../lib/server.mjs';
import { selfSigned } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';

const UNKNOWN = { code: 1, message: 'Session ID unknown' };
const PATH = '/socket.io/?EIO=4&transport=polling';
const workerOf = (sid) => Number.parseInt(sid.slice(0, 2), 16);

/** A connection to whichever process the kernel chose, which speaks Engine.IO by hand. */
async function dial(server) {
  const connection = await raw(server);
  const ask = async (method, sid, body) => {
    const query = sid ? `&sid=${sid}` : '';
    const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
    await connection.send(`${method} ${PATH}${query} HTTP/1.1\r\nHost: x\r\n${length}\r\n${body ?? ''}`);
    return connection.reply();
  };
  const client = {
    connection,
    poll: (sid) => ask('GET', sid),
    post: (sid, body) => ask('POST', sid, body),
    /** A new session of the process that has this connection now: its sid. */
    handshake: async () => {
      const { status, text } = await ask('GET');
      assert.equal(status, 200, text);
      return JSON.parse(text.slice(1)).sid;
    },
    close: () => connection.close(),
  };
  client.sid = await client.handshake();
  client.worker = workerOf(client.sid);
  return client;
}

/** Two connections that the kernel gave to different processes. */
async function apart(server) {
  const one = await dial(server);
  for (;;) {
    const other = await dial(server);
    if (other.worker !== one.worker) return [one, other];
    other.close();
  }
}

const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const workers = (server) => server.logs
  .filter(({ area, event }) => area === 'workers' && event === 'started').map(({ pid }) => Number(pid));

for (const [scheme, env] of [['http', {}], ['https', (await selfSigned()).env]]) {
  describe(`over ${scheme}`, () => {
    let server;
    before(async () => { server = await startServer({ workers: 2, env: { TALLY_OPEN: '1', ...env } }); });
    after(() => server.stop());

    test('a poll and a post reach the session from another process, and the connection stays there', async () => {
      const [one, other] = await apart(server);
      assert.equal((await other.post(one.sid, '40')).text, 'ok');
      assert.match((await other.poll(one.sid)).text, /^40\{"sid":/);
      assert.equal(workerOf(await other.handshake()), one.worker, 'the connection lives in the other process now');
      // And back, for what belongs to where it came from.
      assert.equal((await other.post(other.sid, '40/rewards,')).text, 'ok');
      assert.match((await other.poll(other.sid)).text, /^40\/rewards,\{"sid":/);
      assert.equal(workerOf(await other.handshake()), other.worker);
      // The first connection serves its session as ever.
      assert.equal((await one.post(one.sid, '42["join","user-1"]')).text, 'ok');
      one.close();
      other.close();
    });

    test('a poll that waits is answered over the connection that was handed over', async () => {
      const [one, other] = await apart(server);
      assert.equal((await one.post(one.sid, '40')).text, 'ok');
      assert.match((await one.poll(one.sid)).text, /^40/);
      const waiting = other.poll(one.sid);
      assert.equal((await one.post(one.sid, '421["join","user-1"]')).text, 'ok');
      assert.equal((await waiting).text, '431[{"status":false,"message":"Unauthorized"}]');
      one.close();
      other.close();
    });

    test('a large post comes along, whole or in chunks', async () => {
      const [one, other] = await apart(server);
      const name = 'x'.repeat(300_000);
      assert.equal((await other.post(one.sid, `40\x1e42["${name}"]`)).text, 'ok');
      const [, back] = await apart(server).then((pair) => (pair[0].worker === one.worker ? pair : pair.reverse()));
      const body = `42["${name}"]`;
      const chunk = (text) => `${text.length.toString(16)}\r\n${text}\r\n`;
      await back.connection.send(`POST ${PATH}&sid=${one.sid} HTTP/1.1\r\nHost: x\r\n`
        + 'Transfer-Encoding: chunked\r\n\r\n');
      for (let at = 0; at < body.length; at += 50_000) await back.connection.send(chunk(body.slice(at, at + 50_000)));
      await back.connection.send('0\r\n\r\n');
      const reply = await back.connection.reply();
      assert.deepEqual([reply.status, reply.text], [200, 'ok']);
      assert.match((await back.poll(one.sid)).text, /^40/);
      for (const client of [one, other, back]) client.close();
    });

    test('requests sent at once are answered in order, wherever they belong', async () => {
      const [one, other] = await apart(server);
      const get = (sid) => `GET ${PATH}&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`;
      const post = (sid, body) => `POST ${PATH}&sid=${sid} HTTP/1.1\r\nHost: x\r\n`
        + `Content-Length: ${body.length}\r\n\r\n${body}`;
      await other.connection.send(post(one.sid, '40') + get(one.sid) + post(other.sid, '40/rewards,') + get(other.sid)
        + 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
      const replies = await other.connection.replies(5);
      assert.deepEqual(replies.map(({ status }) => status), [200, 200, 200, 200, 200]);
      assert.match(replies[1].text, /^40\{/);
      assert.match(replies[3].text, /^40\/rewards,\{/);
      assert.match(replies[4].text, /"status"/);
      one.close();
      other.close();
    });

    test('an upgrade reaches its session from another process', async () => {
      const [one, other] = await apart(server);
      const key = randomBytes(16).toString('base64');
      await other.connection.send(`GET /socket.io/?EIO=4&transport=websocket&sid=${one.sid} HTTP/1.1\r\nHost: x\r\n`
        + 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'
        + `Sec-WebSocket-Key: ${key}\r\n\r\n`);
      const reply = await other.connection.reply();
      assert.equal(reply.status, 101);
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      assert.equal(reply.headers['sec-websocket-accept'], accept);
      // "2probe", masked with zeros; the answer is "3probe".
      await other.connection.send(Buffer.concat([Buffer.from([0x81, 0x86, 0, 0, 0, 0]), Buffer.from('2probe')]));
      await other.connection.wait(() => other.connection.bytes.includes('3probe'), 'the probe to be answered');
      one.close();
      other.close();
    });

    test('the address of the client is known where its request arrives', async () => {
      const [one, other] = await apart(server);
      const from = server.logs.length;
      assert.equal((await other.post(one.sid, '40')).text, 'ok');
      await other.connection.send('GET /health HTTP/1.1\r\nHost: x\r\nX-Request-Id: where-from\r\n\r\n');
      await other.connection.reply();
      const told = () => server.logs.slice(from).find((entry) => entry.req === 'where-from');
      const line = await until(told, 'the access line');
      assert.equal(line.remote, '127.0.0.1');
      one.close();
      other.close();
    });

    test('a session that never was is unknown, whatever process it names', async () => {
      const client = await dial(server);
      for (const worker of ['00', '01', '02', 'ff', 'zz']) {
        const reply = await client.poll(worker + client.sid.slice(2, -1) + (client.sid.endsWith('A') ? 'B' : 'A'));
        assert.deepEqual([reply.status, JSON.parse(reply.text)], [400, UNKNOWN], worker);
      }
      await client.connection.send('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
      assert.equal((await client.connection.reply()).status, 200, 'and the connection goes on');
      client.close();
    });

    test('no descriptor is left, neither there nor here', async () => {
      const cross = async (rounds) => {
        for (let round = 0; round < rounds; round++) {
          const [one, other] = await apart(server);
          assert.equal((await other.post(one.sid, '40')).text, 'ok');
          one.close();
          other.close();
        }
      };
      await cross(5);      // what a process opens once, such as connections to its database, is open then
      const pids = workers(server);
      const before = pids.map(descriptors);
      await cross(30);
      const ended = () => pids.every((pid, i) => descriptors(pid) < before[i] + 10);
      await until(ended, 'the descriptors to be closed');
    });
  });
}
