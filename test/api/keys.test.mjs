// Basic keys: holder and key, with scopes, at two processes. BANK-07 and BANK-25 take one with the scope `system`.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { agentFor, api, socket } from '../lib/client.mjs';
import { balanceOf, customer, systemUser } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

let server;
let everyone;
let ada;
let agents;      // enough connections that both processes are among them
before(async () => {
  server = await startServer({ workers: 2 });
  everyone = api(server);
  ada = await customer(server, await systemUser(server), { amount: 0 });
  agents = Array.from({ length: 24 }, () => agentFor(server.url, { maxSockets: 1 }));
});
after(async () => {
  for (const agent of agents ?? []) agent.destroy();
  await server?.stop();
});

/** The key is the last word that the command prints. */
async function addKey(holder, scope) {
  const key = (await server.command('apikey', 'add', '--holder', holder, '--scope', scope)).trim().split(/\s+/).pop();
  return `${holder}:${key}`;
}

const give = (options, amount = 1) => everyone.post('/api/transactions/system/initial-funds', {
  body: { toAccount: ada.account._id, amount, idempotencyKey: randomUUID() }, ...options,
});
const set = (options, status = 'active') =>
  everyone.patch(`/api/accounts/${ada.account._id}/status`, { body: { status }, ...options });

/** The same at all connections; returns the replies, which are of two processes. */
async function all(request) {
  const replies = await Promise.all(agents.map((agent) => request({ agent })));
  const marks = new Set(replies.map(({ headers }) => headers['x-request-id'].slice(0, 8)));
  assert.equal(marks.size, 2, 'two processes answered');
  return replies;
}

test('a key with the scope may do what the system user may', async () => {
  const basic = await addKey('shop', 'points,system');
  const before = await balanceOf(ada, ada.account);
  for (const reply of await all((options) => give({ basic, ...options }))) {
    assert.equal(reply.status, 200, reply.text);
  }
  await until(async () => (await balanceOf(ada, ada.account)) === before + agents.length, 'the funds');
  assert.equal((await set({ basic })).status, 200);
});

test('the holder is compared without case, the key is not', async () => {
  const basic = await addKey('Kiosk', 'system');
  assert.equal((await set({ basic: basic.replace('Kiosk', 'kIOSK') })).status, 200);
  fails(await set({ basic: basic.replace(/:.*/, (key) => key.toUpperCase()) }), 401, 'Unauthorized');
});

test('one without the scope is 403', async () => {
  const basic = await addKey('loyalty', 'points,rewards,userstate');
  for (const reply of await all((options) => give({ basic, ...options }))) {
    fails(reply, 403, 'Only the system user can inject funds');
  }
  fails(await set({ basic }), 403, 'Forbidden');
});

test('a wrong key, an unknown holder and what is no key are 401 alike', async () => {
  const basic = await addKey('till', 'system');
  assert.equal((await set({ basic })).status, 200);
  const [holder, key] = basic.split(':');
  for (const bad of [`${holder}:`, `${holder}:x`, `${holder}:${key}x`, `${holder}:${key.slice(1)}`, `${holder}: ${key}`,
    `${holder}\0:${key}`, `nobody:${key}`, `:${key}`, holder, key, ':']) {
    fails(await set({ basic: bad }), 401, 'Unauthorized');
  }
  for (const authorization of ['Basic', 'Basic !!!', 'Basic ====', `Basic ${basic}`, `Basic ${'A'.repeat(5000)}`,
    `Basic ${Buffer.from([0xff, 0x3a, 0xfe]).toString('base64')}`]) {
    fails(await set({ headers: { authorization } }), 401, 'Unauthorized');
  }
});

test('no key is a customer', async () => {
  const basic = await addKey('robot', 'userstate,points,system,rewards');
  for (const path of ['/api/accounts', '/api/auth/me', '/api/transactions', `/api/accounts/${ada.account._id}`]) {
    fails(await everyone.get(path, { basic }), 401, 'Unauthorized');
  }
  fails(await everyone.post('/api/transactions', { basic, body: {} }), 401, 'Unauthorized');
});

test('keys have their own range of idempotency keys', async () => {
  const [one, two] = [await addKey('one', 'system'), await addKey('two', 'system')];
  const body = { toAccount: ada.account._id, amount: 1, idempotencyKey: 'the same' };
  const first = await give({ basic: one, body });
  assert.equal((await give({ basic: one, body })).headers['idempotent-replayed'], 'true');
  const other = await give({ basic: two, body });
  assert.equal(other.status, 200);
  assert.notEqual(other.json.transaction._id, first.json.transaction._id);
});

test('a revoked one is 401 everywhere', async () => {
  const basic = await addKey('leaver', 'system');
  for (const reply of await all((options) => set({ basic, ...options }))) assert.equal(reply.status, 200);
  await server.command('apikey', 'revoke', '--holder', 'leaver');
  await until(async () => (await all((options) => set({ basic, ...options }))).every(({ status }) => status === 401),
    'both processes to refuse it');
  for (const reply of await all((options) => set({ basic, ...options }))) fails(reply, 401, 'Unauthorized');
});

test('nor does one come in whose row was read just before it was revoked', async () => {
  const proxy = await startProxy(server.database);
  const behind = await startServer({ database: proxy.url });
  const basic = await addKey('hasty', 'system');
  const authorization = `Basic ${Buffer.from(basic).toString('base64')}`;
  const witness = await socket(behind, { headers: { authorization } });
  await witness.next('hello');
  await execute(server.database, `UPDATE api_keys SET last_used_at = NULL WHERE holder = 'hasty'`);

  // The row has been read, its answer is on its way; the stream is faster.
  proxy.freeze({ only: ({ startup }) => startup?.application_name === 'read', direction: 'fromServer' });
  const path = `/api/accounts/${ada.account._id}/status`;
  const ask = () => api(behind, { basic: basic.toUpperCase().slice(0, 5) + basic.slice(5) })
    .patch(path, { body: { status: 'active' } });
  const asked = ask();
  const used = `SELECT last_used_at FROM api_keys WHERE holder = 'hasty'`;
  await until(async () => (await query(server.database, used))[0].last_used_at, 'the key to be looked up');
  await server.command('apikey', 'revoke', '--holder', 'hasty');
  assert.equal((await witness.closed()).code, 4401);
  proxy.unfreeze();
  fails(await asked, 401, 'Unauthorized');
  fails(await ask(), 401, 'Unauthorized');
  await behind.stop();
  await proxy.close();
});

test('a new one opens a socket at once that stays, also where the stream is behind', async () => {
  const proxy = await startProxy(server.database);
  const behind = await startServer({ database: proxy.url });
  const open = async (basic) => {
    const ws = await socket(behind, { headers: { authorization: `Basic ${Buffer.from(basic).toString('base64')}` } });
    await ws.next('hello');
    return ws;
  };
  const witness = await open(await addKey('earlier', 'rewards'));
  proxy.freeze({ only: ({ replication }) => replication });
  const ws = await open(await addKey('newcomer', 'rewards'));
  await server.command('apikey', 'revoke', '--holder', 'earlier');
  proxy.unfreeze();
  assert.equal((await witness.closed()).code, 4401);
  ws.send({ type: 'ping' });
  await ws.next('pong');
  await ws.close();
  await behind.stop();
  await proxy.close();
});
