// One's own sessions on the userstate surface: USR-01, 08, 09, 10 and 11.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { agentFor, api, socket } from '../lib/client.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { claimsOf } from '../lib/tokens.mjs';
import { linkTo, newcomer, newPhone, signUp } from '../lib/userstate.mjs';
import { until } from '../lib/wait.mjs';

const enter = (client, username, password) => client.post('/auth', { body: { username, password } });

describe('signing in', () => {
  let server;
  let client;
  let ada;
  before(async () => { server = await startServer(); client = api(server); ada = await signUp(server); });
  after(() => server?.stop());

  test('by username or e-mail, whatever their case', async () => {
    for (const name of [ada.username, ada.username.toUpperCase(), ada.email, ada.email.toUpperCase(),
      ` ${ada.email} `]) {
      const reply = await enter(client, name, ada.password);
      assert.equal(reply.status, 200, reply.text);
      assert.deepEqual(reply.json, { token: reply.json.token, agent: false });
      const claims = claimsOf(reply.json.token);
      assert.deepEqual([claims.user, claims.agent, claims.exp - claims.iat], [ada.username, false, 86400]);
      assert.equal((await client.get('/user/profile', { token: reply.json.token })).json.email, ada.email);
    }
  });

  test('tells of an agent', async () => {
    await server.command('user', 'add', '--email', 'agent@example.com', '--password', 'agent password', '--role',
      'agent');
    const reply = await enter(client, 'agent@example.com', 'agent password');
    assert.equal(reply.json.agent, true);
    assert.equal(claimsOf(reply.json.token).agent, true);
  });

  test('fails in one way, whatever the reason', async () => {
    await execute(server.database,
      `INSERT INTO users (username, email, first_name) VALUES ('nopass', 'nopass@example.com', 'N')`);
    for (const [name, password] of [[ada.username, 'wrong horse'], [ada.email, 'wrong horse'], ['nobody', ada.password],
      ['nobody@example.com', ada.password], ['nopass', 'x'], [ada.username, 'x'.repeat(1000)]]) {
      fails(await enter(client, name, password), 422, 'Invalid Credential');
    }
  });

  test('needs both', async () => {
    fails(await client.post('/auth', { body: {} }), 400, 'Validation failed', ['username', 'password']);
    fails(await client.post('/auth', { body: { username: 5, password: null } }), 400, 'Validation failed',
      ['username', 'password']);
    fails(await client.post('/auth', { body: { username: '', password: '' } }), 400, 'Validation failed',
      ['username', 'password']);
  });

  test('takes a hash of another system, and makes it ours', async () => {
    const old = await signUp(server);
    const bcrypt = '$2b$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK';   // of "password", 2^10 rounds
    const hash = async () => (await query(server.database, `SELECT password_hash AS hash FROM user_credentials c
      JOIN users u ON u.id = c.user_id WHERE u.email = '${old.email}'`))[0].hash;
    await execute(server.database, `UPDATE user_credentials SET password_hash = '${bcrypt}'
      WHERE user_id = (SELECT id FROM users WHERE email = '${old.email}')`);
    fails(await enter(client, old.username, 'Password'), 422, 'Invalid Credential');
    assert.equal(await hash(), bcrypt);
    assert.equal((await enter(client, old.username, 'password')).status, 200);
    await until(async () => (await hash()).startsWith('$argon2id$'), 'the hash to be ours');
    assert.equal((await enter(client, old.username, 'password')).status, 200);
  });

  test('takes as long for an unknown name, for one that waits and for every kind of hash', async () => {
    const waiting = newcomer({ mode: 'OTP', phone_number: newPhone() });
    assert.equal((await client.post('/signup', { body: waiting })).status, 201);
    const names = { known: ada.username, unknown: 'nobody_at_all', waiting: waiting.username };
    // Of another system: much cheaper than ours, and dearer.
    for (const rounds of ['04', '12']) {
      names[`2^${rounds}`] = (await signUp(server)).username;
      await execute(server.database, `UPDATE user_credentials
        SET password_hash = '$2b$${rounds}$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK'
        WHERE user_id = (SELECT id FROM users WHERE username = '${names[`2^${rounds}`]}')`);
    }
    const times = Object.fromEntries(Object.keys(names).map((which) => [which, []]));
    for (let i = 0; i < 7; i++) {
      for (const [which, name] of Object.entries(names)) {
        const start = process.hrtime.bigint();
        fails(await enter(client, name, 'wrong horse'), 422, 'Invalid Credential');
        times[which].push(Number(process.hrtime.bigint() - start) / 1e6);
      }
    }
    const middle = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
    const { known, ...others } = times;
    for (const [which, other] of Object.entries(others)) {
      // A timer's tick is a tenth of a second.
      assert.ok(Math.abs(middle(other) - middle(known)) < 100,
        `${middle(known)} ms against ${middle(other)} ms ${which}`);
    }
  });
});

describe('with TALLY_OPEN', () => {
  test('an unknown name is told as the seed does; a known one fails as ever', async () => {
    const server = await startServer({ env: { TALLY_OPEN: '1' } });
    const client = api(server);
    const ada = await signUp(server);
    for (const name of ['nobody', 'nobody@example.com']) {
      fails(await enter(client, name, 'wrong horse'), 500, 'Account does not exist');
    }
    fails(await enter(client, ada.username, 'wrong horse'), 422, 'Invalid Credential');
    const waiting = newcomer();
    await client.post('/signup', { body: waiting });
    fails(await enter(client, waiting.username, 'wrong horse'), 422, 'Invalid Credential');
    fails(await client.post('/request-reset-pwd', { body: { email: 'nobody@example.com' } }), 500,
      'Account does not exist');
    assert.equal((await client.post('/request-reset-pwd', { body: { email: ada.email } })).status, 200);
    await server.stop();
  });
});

describe('ten failures in a quarter of an hour', () => {
  let server;
  let client;
  let ada;
  before(async () => {
    server = await startServer({ env: { TALLY_RATE_LIMIT: 'on' } });
    client = api(server);
    ada = await signUp(server);
  });
  after(() => server?.stop());

  test('close the name to this address, also for the right password and on the bank surface', async () => {
    for (let i = 0; i < 10; i++) fails(await enter(client, ada.email, 'wrong horse'), 422, 'Invalid Credential');
    const closed = await enter(client, ada.email, ada.password);
    fails(closed, 429, 'Too many attempts, try again later');
    assert.ok(Number(closed.headers['retry-after']) > 0 && Number(closed.headers['retry-after']) <= 900);
    fails(await client.post('/api/auth/login', { body: ada }), 429);
    assert.equal((await enter(client, ada.username, ada.password)).status, 200, 'the other name is another one');
  });

  test('and an unknown one in the same way', async () => {
    for (let i = 0; i < 10; i++) fails(await enter(client, 'nobody', 'wrong horse'), 422, 'Invalid Credential');
    fails(await enter(client, 'nobody', 'wrong horse'), 429, 'Too many attempts, try again later');
    // Thirty from one address, whatever the names.
    for (let i = 0; i < 10; i++) fails(await enter(client, `nobody${i}`, 'wrong horse'), 422, 'Invalid Credential');
    fails(await enter(client, 'one more', 'wrong horse'), 429, 'Too many attempts, try again later');
  });
});

describe('a token', () => {
  let server;
  let client;
  let ada;
  before(async () => { server = await startServer(); client = api(server); ada = await signUp(server); });
  after(() => server?.stop());
  const session = async () => (await enter(client, ada.username, ada.password)).json.token;

  test('is extended by another one; the old one stays good', async () => {
    const reply = await ada.api.get('/extend');
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { token: reply.json.token });
    const [before, now] = [claimsOf(ada.token), claimsOf(reply.json.token)];
    assert.notEqual(now.jti, before.jti);
    assert.equal(now.exp - now.iat, 86400);
    for (const token of [ada.token, reply.json.token]) {
      assert.equal((await client.get('/verify', { token })).json.user, ada.username);
    }
    fails(await client.get('/extend'), 401, 'Unauthorized');
    assert.equal((await ada.api.head('/extend')).status, 405);
  });

  test('is verified as Bearer, cookie or in the query', async () => {
    const { exp } = claimsOf(ada.token);
    for (const options of [{ token: ada.token }, { headers: { cookie: `token=${ada.token}` } }]) {
      const reply = await client.get('/verify', options);
      assert.deepEqual(reply.json, { status: true, user: ada.username, agent: false, exp });
    }
    assert.equal((await client.get(`/verify?token=${ada.token}`)).json.user, ada.username);
    for (const bad of ['', '?token=', '?token=x', `?token=${ada.token}x`]) {
      fails(await client.get(`/verify${bad}`), 401, 'Unauthorized');
    }
    // The query is no proof anywhere else.
    fails(await client.get(`/user/profile?token=${ada.token}`), 401, 'Unauthorized');
  });

  test('never stands in the log', async () => {
    await client.get(`/verify?token=${ada.token}`);
    await until(() => JSON.stringify(server.logs).includes('"/verify"'), 'the request to be logged');
    assert.ok(!JSON.stringify(server.logs).includes(ada.token.split('.')[2]));
  });

  test('is revoked by logging off; others of the user are not', async () => {
    const [one, two] = [await session(), await session()];
    const ws = await socket(server, { token: one });
    await ws.next('hello');
    const reply = await client.get('/logoff', { token: one });
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json, { status: true, message: 'Logged off' });
    assert.equal((await ws.closed()).code, 4401);
    fails(await client.get('/verify', { token: one }), 401, 'Unauthorized');
    fails(await client.get('/extend', { token: one }), 401, 'Unauthorized');
    assert.equal((await client.get('/verify', { token: two })).status, 200);
    assert.equal((await client.head('/logoff', { token: two })).status, 405);
    assert.equal((await client.get('/verify', { token: two })).status, 200);
  });
});

describe('deactivating the account', () => {
  test('ends every token and every open socket at every process, and lets nobody in again', async () => {
    const server = await startServer({ workers: 2 });
    const client = api(server);
    const ada = await signUp(server);
    const agents = [];
    const everywhere = () => Promise.all(agents.map((agent) => client.get('/verify', { agent, token: ada.token })));
    await until(async () => {   // the second process may still be starting
      for (let n = 0; n < 16; n++) agents.push(agentFor(server.url, { maxSockets: 1 }));
      return new Set((await everywhere()).map(({ headers }) => headers['x-request-id'].slice(0, 8))).size === 2;
    }, 'both processes to answer');
    const sockets = await Promise.all(Array.from({ length: 12 }, () => socket(server, { token: ada.token })));
    for (const ws of sockets) await ws.next('hello');

    for (const reason of [undefined, '', '  ', 5, 'x'.repeat(501)]) {
      fails(await ada.api.post('/deactivate', { body: { reason } }), 400, 'Validation failed', ['reason']);
    }
    const reply = await ada.api.post('/deactivate', { body: { reason: 'No more use\nfor it' } });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { status: true, message: 'Account deactivated' });
    for (const ws of sockets) assert.equal((await ws.closed()).code, 4401);
    await until(async () => (await everywhere()).every(({ status }) => status === 401),
      'every process to refuse the token');
    fails(await ada.api.post('/deactivate', { body: { reason: 'again' } }), 401, 'Unauthorized');

    fails(await enter(client, ada.username, ada.password), 403, 'Account is Disabled');
    fails(await enter(client, ada.username, 'wrong horse'), 422, 'Invalid Credential');
    assert.deepEqual(await query(server.database, 'SELECT reason FROM deactivate_reasons'),
      [{ reason: 'No more use\nfor it' }]);

    // The address stays his: a link to a new password is not sent to it, and nobody is told so.
    assert.equal((await client.post('/request-reset-pwd', { body: { email: ada.email } })).status, 200);
    assert.equal((await query(server.database, `SELECT 1 FROM one_time_tokens WHERE kind = 'RESET_PWD'`)).length, 0);
    fails(await client.post('/signup', { body: newcomer({ email: ada.email }) }), 409, 'Email is already registered');
    for (const agent of agents) agent.destroy();
    await server.stop();
  });

  test('also voids a reset link that was sent before', async () => {
    const server = await startServer();
    const client = api(server);
    const ada = await signUp(server);
    await client.post('/request-reset-pwd', { body: { email: ada.email } });
    const token = await linkTo(server, ada.email, 'reset-pwd');
    await ada.api.post('/deactivate', { body: { reason: 'gone' } });
    fails(await client.post('/reset-pwd', { body: { token, password: 'battery staple' } }), 401, 'Unauthorized');
    await server.stop();
  });
});
