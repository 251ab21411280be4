// What operators ask and set: USR-43 (/health), /ready, /metrics; rates, addresses behind proxies, https, and the
// door that TALLY_OPEN opens in BANK-07.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { api, raw } from '../lib/client.mjs';
import { customer, openAccount, register, systemUser } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, TIME } from '../lib/shapes.mjs';
import { selfSigned } from '../lib/tls.mjs';

const servers = [];
after(() => Promise.all(servers.map((server) => server.stop())));

async function start(env) {
  const server = await startServer({ env });
  servers.push(server);
  return server;
}

describe('an ordinary server', () => {
  let server;
  test('USR-43: /health says that the process answers', async () => {
    server = await start({});
    const before = (await api(server).get('/health')).json;
    assert.deepEqual(Object.keys(before).sort(), ['status', 'timestamp', 'uptime']);
    assert.equal(before.status, 'OK');
    assert.match(before.timestamp, TIME);
    assert.ok(Math.abs(Date.parse(before.timestamp) - Date.now()) < 5000);
    assert.equal(typeof before.uptime, 'number');
    const later = (await api(server).get('/health')).json;
    assert.ok(later.uptime >= before.uptime && later.uptime < 600, `${later.uptime} seconds`);
  });

  test('/ready says whether it can do its work', async () => {
    const reply = await api(server).get('/ready');
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json, { ready: true, database: 'up', ledger: 'up', stream: 'live', stopping: false });
  });

  test('/metrics counts in the form that Prometheus reads', async () => {
    const counted = async () => {
      const reply = await api(server).get('/metrics');
      assert.equal(reply.status, 200);
      assert.match(reply.headers['content-type'], /^text\/plain; version=0\.0\.4/);
      for (const line of reply.text.trim().split('\n')) {
        assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [-+.\deInfa]+)$/);
      }
      return Number(/^\w*http_requests_total (\d+)$/m.exec(reply.text)?.[1]);
    };
    const before = await counted();
    for (let n = 0; n < 5; n++) await api(server).get('/health');
    assert.equal(await counted(), before + 6);
  });
});

describe('/metrics for this machine only, as is the default', () => {
  test('is 403 for who comes from elsewhere, through whatever proxy', async () => {
    const [plain, behind] = [await start({}), await start({ TALLY_TRUSTED_PROXIES: '127.0.0.1' })];
    for (const headers of [{ 'x-forwarded-for': '192.0.2.1' }, { 'x-forwarded-for': '127.0.0.1' }]) {
      fails(await api(plain).get('/metrics', { headers }), 403);
      fails(await api(behind).get('/metrics', { headers }), 403);
    }
  });
});

describe('/metrics for the holder of a key only', () => {
  test('is 401 without one, 403 without the scope', async () => {
    const server = await start({ TALLY_METRICS: 'key' });
    const keyWith = async (scope) => (await server.command('apikey', 'add', '--holder', scope, '--scope', scope))
      .trim().split(/\s+/).pop();
    const get = (options) => api(server).get('/metrics', options);
    fails(await get(), 401, 'Unauthorized');
    fails(await get({ basic: `points:${await keyWith('points')}` }), 403);
    assert.equal((await get({ basic: `system:${await keyWith('system')}` })).status, 200);
  });
});

describe('rates', () => {
  test('beyond them it is 429 with Retry-After, for this address only', async () => {
    const server = await start({
      TALLY_RATE_LIMIT: 'on', TALLY_RATE_PER_MINUTE: '200', TALLY_TRUSTED_PROXIES: '127.0.0.1',
    });
    const from = (address) => api(server).get('/health', { headers: { 'x-forwarded-for': address } });
    const replies = [];
    while (replies.length < 220) replies.push(await from('192.0.2.1'));
    const refused = replies.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 10, `${refused.length} of 220 refused`);
    for (const reply of refused) {
      fails(reply, 429);
      assert.match(reply.headers['retry-after'], /^[1-9]\d*$/);
    }
    assert.equal((await from('192.0.2.2')).status, 200);
    // Who speaks last counts: what a client claims in front of the proxy's word does not.
    assert.equal((await from('198.51.100.9, 192.0.2.1')).status, 429);
  });
});

describe('addresses', () => {
  const logged = (server, id) => server.logged('http', 'request', { fits: ({ req }) => req === id });
  const ask = (server, id, forwarded) =>
    api(server).get('/health', { headers: { 'x-request-id': id, 'x-forwarded-for': forwarded } });

  test('of clients are believed only to proxies that are trusted', async () => {
    const [plain, behind] = [await start({}), await start({ TALLY_TRUSTED_PROXIES: '10.0.0.1, 127.0.0.1' })];
    await ask(plain, 'a', '192.0.2.7');
    assert.equal((await logged(plain, 'a')).remote, '127.0.0.1');
    for (const [id, forwarded, remote] of [['b', '192.0.2.7', '192.0.2.7'], ['c', '1.1.1.1, 192.0.2.7', '192.0.2.7'],
      ['d', '192.0.2.7, 10.0.0.1', '192.0.2.7'], ['e', '192.0.2.7, nonsense', '127.0.0.1'],
      ['f', '2001:db8::1', '2001:db8::1'], ['g', '192.0.2.7\t', '192.0.2.7']]) {
      await ask(behind, id, forwarded);
      assert.equal((await logged(behind, id)).remote, remote, forwarded);
    }
  });
});

describe('https', () => {
  test('serves the same, with a cookie that only https carries', async () => {
    const { env } = await selfSigned();
    const server = await start({ ...env, TALLY_PUBLIC_URL: 'https://tally.example' });
    const ada = await register(server);
    assert.equal((await openAccount(ada)).user, ada.id);
    const login = await api(server).post('/api/auth/login', { body: { email: ada.email, password: ada.password } });
    assert.match(login.headers['set-cookie'][0], /; Secure(;|$)/);
    const connection = await raw(server);
    await connection.sendSlowly('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await connection.reply()).status, 200);
    connection.close();
  });
});

describe('TALLY_OPEN', () => {
  const give = (who, account) => who.api.post('/api/transactions/system/initial-funds', {
    body: { toAccount: account._id, amount: 5, idempotencyKey: randomUUID() },
  });

  test('lets any customer inject funds, and nobody else; and says so at the start', async () => {
    const server = await start({ TALLY_OPEN: '1' });
    const ada = await customer(server, await systemUser(server), { amount: 0 });
    assert.equal((await give(ada, ada.account)).status, 200);
    fails(await give({ api: api(server) }, ada.account), 401, 'Unauthorized');
    fails(await ada.api.patch(`/api/accounts/${ada.account._id}/status`, { body: { status: 'frozen' } }), 403);
    assert.equal((await server.logged('tallyd', 'open')).level, 'warn');
  });
});
