// The harness itself: what the other tests rely on must be seen to work, and to fail when it should.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, test } from 'node:test';
import { WebSocketServer } from 'ws';
import { agentFor, api, raw, socket } from '../lib/client.mjs';
import { postgresTool, run } from '../lib/paths.mjs';
import { execute, freshDatabase, query } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { until, within } from '../lib/wait.mjs';

describe('waiting', () => {
  test('in vain names what was awaited', async () => {
    await assert.rejects(until(() => false, 'the moon', { timeout: 30 }), /in vain for the moon/);
    await assert.rejects(within(new Promise(() => {}), 30, 'a promise'), /in vain for a promise/);
  });
});

describe('a fresh database', () => {
  test('is empty, is one\'s own, and answers with objects', async () => {
    const [one, two] = await Promise.all([freshDatabase({ migrated: false }), freshDatabase({ migrated: false })]);
    await execute(one, 'CREATE TABLE t (n int, s text)');
    assert.deepEqual(await query(one, `INSERT INTO t VALUES (1, 'ü"'), (2, NULL) RETURNING *`),
      [{ n: 1, s: 'ü"' }, { n: 2, s: null }]);
    assert.deepEqual(await query(one, 'SELECT * FROM t WHERE n > 5'), []);
    await assert.rejects(query(two, 'SELECT * FROM t'), /relation "t" does not exist/);
  });
});

describe('the fault proxy', () => {
  let database;
  let proxy;
  before(async () => {
    database = await freshDatabase({ migrated: false });
    await execute(database, 'CREATE TABLE t (n int)');
    proxy = await startProxy(database);
  });
  after(() => proxy.close());

  const psql = (sql) => run(postgresTool('psql'), ['-XqAt', proxy.url, '-c', sql]);
  const count = async () => (await query(database, 'SELECT count(*)::int AS n FROM t'))[0].n;

  test('passes what goes through and knows who connects', async () => {
    const slow = psql('SELECT pg_sleep(0.2), 7');
    await proxy.connected(1);
    await until(() => [...proxy.connections][0]?.startup, 'the proxy to have read who connects');
    assert.equal([...proxy.connections][0].startup.user, 'tally');
    assert.equal([...proxy.connections][0].replication, false);
    assert.match((await slow).stdout, /\|7/);
    await until(() => proxy.connections.size === 0, 'the proxy to forget the connection');
  });

  test('cuts both ways', async () => {
    const waiting = psql('SELECT pg_sleep(30)');
    await proxy.connected(1);
    const active = `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%'`;
    await until(async () => (await query(database, active)).length, 'the query to run');
    proxy.cut();
    assert.notEqual((await waiting).code, 0);
  });

  test('cuts after what was sent has taken effect: the outcome is unknown to the client', async () => {
    const before = await count();
    const cut = proxy.cutWhen('fromServer', (bytes) => (bytes.includes('INSERT 0 1') ? 0 : -1));
    const done = await psql('INSERT INTO t VALUES (1)');
    await cut;
    assert.notEqual(done.code, 0);
    assert.equal(await count(), before + 1);
  });

  test('cuts after n bytes to the server, before the statement is whole', async () => {
    const before = await count();
    const cut = proxy.cutAfter({ toServer: 120 });
    const done = await psql(`INSERT INTO t VALUES (1) /* ${'x'.repeat(500)} */`);
    await cut;
    assert.notEqual(done.code, 0);
    assert.equal(await count(), before);
  });

  test('swallows the replies', async () => {
    const before = await count();
    proxy.swallowReplies({ only: (connection) => connection.startup.application_name === 'mute' });
    const child = run(postgresTool('psql'), ['-XqAt', `${proxy.url}&application_name=mute`, '-c', 'SELECT 1']);
    await until(() => [...proxy.connections].some((connection) => connection.lost > 0), 'a reply to be swallowed');
    assert.equal((await psql('INSERT INTO t VALUES (2)')).code, 0);
    assert.equal(await count(), before + 1);
    proxy.pass();
    assert.notEqual((await child).code, 0);
  });

  test('freezes and thaws without losing a byte', async () => {
    proxy.freeze();
    let ended = false;
    const frozen = psql('SELECT 42').finally(() => { ended = true; });
    await until(() => proxy.those((one) => one.held.length).length, 'bytes to be held');
    assert.equal(ended, false);
    proxy.unfreeze();
    assert.equal((await frozen).stdout, '42\n');
  });

  test('is down until it is up', async () => {
    proxy.down();
    assert.notEqual((await psql('SELECT 1')).code, 0);
    proxy.up();
    assert.equal((await psql('SELECT 1')).code, 0);
  });
});

describe('the clients', () => {
  const server = {};
  let listener;
  before(async () => {
    listener = http.createServer((request, reply) => {
      let body = '';
      request.on('data', (part) => { body += part; });
      request.on('end', () => {
        reply.setHeader('content-type', 'application/json');
        if (request.url === '/chunked') { reply.write('[1,'); reply.end('2]'); return; }
        if (request.url === '/bye') reply.setHeader('connection', 'close');
        reply.end(JSON.stringify({ method: request.method, headers: request.headers, body }));
      });
    });
    const upgrades = new WebSocketServer({ server: listener, path: '/ws' });
    upgrades.on('connection', (ws, request) => {
      ws.send(JSON.stringify({ type: 'hello', url: request.url, authorization: request.headers.authorization }));
      ws.on('message', (text) => {
        const frame = JSON.parse(text);
        if (frame.type === 'leave') ws.close(4408, 'resume');
        else ws.send(JSON.stringify({ type: 'echo', frame }));
      });
    });
    await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
    server.url = `http://127.0.0.1:${listener.address().port}`;
    server.agent = agentFor(server.url);
  });
  after(() => {
    server.agent.destroy();
    listener.closeAllConnections();
    return new Promise((resolve) => { listener.close(resolve); });
  });

  test('api speaks JSON, carries tokens and keeps defaults', async () => {
    const ada = api(server, { token: 'abc' });
    const reply = await ada.post('/x', { body: { a: 1 }, headers: { 'x-one': '1' } });
    assert.equal(reply.status, 200);
    assert.equal(reply.json.body, '{"a":1}');
    assert.equal(reply.json.headers.authorization, 'Bearer abc');
    assert.equal(reply.json.headers['content-type'], 'application/json');
    assert.equal(reply.json.headers['x-one'], '1');
    assert.equal((await ada.with({ token: undefined }).get('/x')).json.headers.authorization, undefined);
    const basic = await ada.get('/x', { token: undefined, basic: 'demo:demo' });
    assert.equal(basic.json.headers.authorization, 'Basic ZGVtbzpkZW1v');
  });

  test('raw sends byte by byte and takes replies one by one', async () => {
    const connection = await raw(server);
    await connection.sendSlowly('GET /a HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal(JSON.parse((await connection.reply()).text).method, 'GET');
    await connection.send('GET /chunked HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await connection.reply()).text, '[1,2]');
    assert.equal((await connection.reply({ head: true })).text, '');
    await connection.send('GET /bye HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await connection.reply()).headers.connection, 'close');
    assert.equal(await connection.closed(), '');
  });

  test('raw says what the connection had said when it ended too early', async () => {
    const connection = await raw(server);
    await connection.send('nonsense\r\n\r\n');
    assert.equal((await connection.reply()).status, 400);
    await assert.rejects(connection.reply(), /ended before a whole reply/);
  });

  test('socket takes frames by type, in any order, and sees the close', async () => {
    const ws = await socket(server, { token: 'abc', cursor: 'c/1' });
    ws.send({ type: 'ping', n: 1 });
    assert.deepEqual((await ws.next('echo')).frame, { type: 'ping', n: 1 });
    const hello = await ws.next('hello');
    assert.equal(hello.authorization, 'Bearer abc');
    assert.equal(hello.url, '/ws?cursor=c%2F1');
    await assert.rejects(ws.next('never', { timeout: 30 }), /in vain for a frame never; frames so far: .*echo/);
    ws.send({ type: 'leave' });
    assert.deepEqual(await ws.closed(), { code: 4408, reason: 'resume' });
  });

  test('socket reports a refused upgrade with its status', async () => {
    await assert.rejects(socket(server, { path: '/elsewhere' }), (error) => error.status === 400);
  });
});
