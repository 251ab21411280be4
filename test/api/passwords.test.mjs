// A forgotten password and a new one: USR-05, 06, 07. Whatever sets a password ends every token issued before.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { agentFor, api, socket } from '../lib/client.mjs';
import { mailsTo } from '../lib/mails.mjs';
import { register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { linkTo, signUp } from '../lib/userstate.mjs';
import { never, until } from '../lib/wait.mjs';

const NEW = 'battery staple';
let server;
let client;
before(async () => { server = await startServer({ workers: 2 }); client = api(server); });
after(() => server?.stop());

const ask = (email) => client.post('/request-reset-pwd', { body: { email } });
const reset = (token, password = NEW) => client.post('/reset-pwd', { body: { token, password } });
const enter = (username, password) => client.post('/auth', { body: { username, password } });

describe('a forgotten password', () => {
  test('is replaced by the mailed link, once; every token dies', async () => {
    const ada = await signUp(server);
    const ws = await socket(server, { token: ada.token });
    await ws.next('hello');
    const asked = await ask(ada.email.toUpperCase());
    assert.equal(asked.status, 200, asked.text);
    assert.deepEqual(asked.json, { status: true, message: 'Reset link sent' });
    const token = await linkTo(server, ada.email, 'reset-pwd');
    const reply = await reset(token);
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { status: true, message: 'Password updated' });
    assert.equal((await ws.closed()).code, 4401);
    await until(async () => (await ada.api.get('/verify')).status === 401, 'the token to be void');
    fails(await enter(ada.username, ada.password), 422, 'Invalid Credential');
    assert.equal((await enter(ada.username, NEW)).status, 200);
    assert.equal((await client.post('/api/auth/login', { body: { email: ada.email, password: NEW } })).status, 200);
    fails(await reset(token, 'yet another one'), 401, 'Unauthorized');
    assert.equal((await enter(ada.username, NEW)).status, 200);
  });

  test('the link used twice at the same moment works once', async () => {
    const ada = await signUp(server);
    await ask(ada.email);
    const token = await linkTo(server, ada.email, 'reset-pwd');
    const passwords = Array.from({ length: 6 }, (_, i) => `new password ${i}`);
    const replies = await Promise.all(passwords.map((password) => reset(token, password)));
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 401, 401, 401, 401, 401]);
    const winner = passwords[replies.findIndex(({ status }) => status === 200)];
    assert.equal((await enter(ada.username, winner)).status, 200);
  });

  test('using one link voids the others', async () => {
    const ada = await signUp(server);
    await ask(ada.email);
    await ask(ada.email);
    const [one, two] = [await linkTo(server, ada.email, 'reset-pwd'), await linkTo(server, ada.email, 'reset-pwd', 2)];
    assert.equal((await reset(two)).status, 200);
    fails(await reset(one), 401, 'Unauthorized');
  });

  test('the link is good for half an hour, and of the token only a hash is kept', async () => {
    const ada = await signUp(server);
    await ask(ada.email);
    const token = await linkTo(server, ada.email, 'reset-pwd');
    const [row] = await query(server.database, `
      SELECT t::text AS all, expires_at - t.created_at = interval '30 minutes' AS half
      FROM one_time_tokens t JOIN users u ON u.id = t.user_id WHERE u.email = '${ada.email}' AND kind = 'RESET_PWD'`);
    assert.equal(row.half, true);
    assert.ok(!row.all.includes(token) && !row.all.includes(Buffer.from(token).toString('hex')));
    await execute(server.database, `UPDATE one_time_tokens SET expires_at = now() WHERE kind = 'RESET_PWD'`);
    fails(await reset(token), 401, 'Unauthorized');
    assert.equal((await enter(ada.username, ada.password)).status, 200);
  });

  test('the token comes in the query, the body or as Bearer; another kind of token is none', async () => {
    const ada = await signUp(server);
    const body = { password: NEW };
    const ways = [
      (token) => client.post(`/reset-pwd?token=${token}`, { body }),
      (token) => client.post('/reset-pwd', { body: { ...body, token } }),
      (token) => client.post('/reset-pwd', { body, token }),
    ];
    for (const [n, way] of ways.entries()) {
      await ask(ada.email);
      const token = await linkTo(server, ada.email, 'reset-pwd', n + 1);
      for (const bad of ['x', `${token}x`, ada.token]) fails(await way(bad), 401, 'Unauthorized');
      assert.equal((await way(token)).status, 200);
    }
    fails(await client.post('/reset-pwd', { body }), 401, 'Unauthorized');
    const bank = await register(server);
    fails(await reset(await linkTo(server, bank.email, 'verify-email')), 401, 'Unauthorized');
  });

  test('the new one has 8 to 128 characters; a fault does not use the link up', async () => {
    const ada = await signUp(server);
    await ask(ada.email);
    const token = await linkTo(server, ada.email, 'reset-pwd');
    for (const password of [undefined, null, 5, '', '1234567', 'x'.repeat(129)]) {
      fails(await client.post('/reset-pwd', { body: { token, password } }), 400, 'Validation failed', ['password']);
    }
    assert.equal((await reset(token, 'x'.repeat(128))).status, 200);
  });

  test('an unknown address is answered the same, and nothing is sent', async () => {
    const ada = await signUp(server);
    const [known, unknown] = [await ask(ada.email), await ask('nobody@example.com')];
    assert.equal(unknown.status, 200);
    assert.equal(unknown.text, known.text);
    await linkTo(server, ada.email, 'reset-pwd');
    assert.deepEqual(await mailsTo(server, 'nobody@example.com'), []);
    for (const email of [undefined, '', 'x', 5]) fails(await ask(email), 400, 'Validation failed', ['email']);
  });

  test('and in the same time', async () => {
    const ada = await signUp(server);
    const times = { known: [], unknown: [] };
    for (let i = 0; i < 60; i++) {
      for (const [which, email] of [['known', ada.email], ['unknown', `nobody${i}@example.com`]]) {
        const start = process.hrtime.bigint();
        assert.equal((await ask(email)).status, 200);
        times[which].push(Number(process.hrtime.bigint() - start) / 1e6);
      }
    }
    const middle = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
    const [known, unknown] = [middle(times.known), middle(times.unknown)];
    // Whoever knows the address may ask five times an hour: what these sixty cannot tell, five will not.
    const at = (part) => times.unknown[Math.floor(times.unknown.length * part)];
    const spread = at(0.9) - at(0.1);
    assert.ok(Math.abs(known - unknown) < Math.max(1, spread),
      `${known} ms known, ${unknown} ms unknown, spread ${spread}`);
  });

  test('a changed address voids the link', async () => {
    const ada = await signUp(server);
    await ask(ada.email);
    const token = await linkTo(server, ada.email, 'reset-pwd');
    await execute(server.database, `UPDATE users SET email = 'moved.${ada.email}' WHERE email = '${ada.email}'`);
    fails(await reset(token), 401, 'Unauthorized');
  });
});

describe('changing the password', () => {
  const change = (person, old_password, new_password = NEW, options = {}) =>
    person.api.post('/update-pwd', { body: { old_password, new_password }, ...options });

  test('answers with the only token that is good from now on, at every process', async () => {
    const ada = await signUp(server);
    const other = (await enter(ada.username, ada.password)).json.token;
    const sockets = await Promise.all([ada.token, other].map((token) => socket(server, { token })));
    for (const ws of sockets) await ws.next('hello');
    const reply = await change(ada, ada.password);
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { status: true, message: 'Password updated', token: reply.json.token });
    for (const ws of sockets) assert.equal((await ws.closed()).code, 4401);
    const agents = Array.from({ length: 16 }, () => agentFor(server.url, { maxSockets: 1 }));
    const all = (token) => Promise.all(agents.map((agent) => client.get('/verify', { agent, token })));
    for (const token of [ada.token, other]) {
      await until(async () => (await all(token)).every(({ status }) => status === 401), 'the old tokens to be void');
    }
    for (const { status } of await all(reply.json.token)) assert.equal(status, 200);
    fails(await enter(ada.username, ada.password), 422, 'Invalid Credential');
    assert.equal((await enter(ada.username, NEW)).status, 200);
    for (const agent of agents) agent.destroy();
  });

  test('needs the old one', async () => {
    const ada = await signUp(server);
    for (const wrong of ['wrong horse', 'x', 'x'.repeat(600)]) fails(await change(ada, wrong), 422,
      'Invalid Credential');
    assert.equal((await ada.api.get('/verify')).status, 200);
    fails(await ada.api.post('/update-pwd', { body: {} }), 400, 'Validation failed', ['old_password', 'new_password']);
    fails(await change(ada, ada.password, '1234567'), 400, 'Validation failed', ['new_password']);
    fails(await client.post('/update-pwd', { body: { old_password: ada.password, new_password: NEW } }), 401);
    assert.equal((await enter(ada.username, ada.password)).status, 200);
  });

  test('twice at the same moment, it is changed once', async () => {
    const ada = await signUp(server);
    const replies = await Promise.all([1, 2, 3, 4].map((n) => change(ada, ada.password, `new password ${n}`)));
    const good = replies.filter(({ status }) => status === 200);
    assert.equal(good.length, 1, replies.map(({ text }) => text).join());
    assert.equal((await client.get('/verify', { token: good[0].json.token })).status, 200);
  });

  test('no session of the old password outlives the change', async () => {
    for (let round = 0; round < 3; round++) {
      const ada = await signUp(server);
      const racing = Array.from({ length: 12 }, (_, i) => (i % 2 ? enter(ada.username,
        ada.password) : ada.api.get('/extend')));
      const [changed, ...others] = await Promise.all([change(ada, ada.password), ...racing]);
      assert.equal(changed.status, 200, changed.text);
      const tokens = others.filter(({ status }) => status === 200).map(({ json }) => json.token);
      await until(async () => {
        const replies = await Promise.all(tokens.map((token) => client.get('/verify', { token })));
        return replies.every(({ status }) => status === 401);
      }, 'all tokens of the old password to be void');
      await never(async () => (await client.get('/verify', { token: changed.json.token })).status !== 200,
        'the new one ends');
    }
  });

  test('wrong old passwords are limited like log-ins', async () => {
    const limited = await startServer({ env: { TALLY_RATE_LIMIT: 'on' } });
    const ada = await signUp(limited);
    for (let i = 0; i < 10; i++) fails(await change(ada, 'wrong horse'), 422, 'Invalid Credential');
    fails(await change(ada, ada.password), 429, 'Too many attempts, try again later');
    for (let i = 0; i < 5; i++) {
      assert.equal((await api(limited).post('/request-reset-pwd', { body: { email: ada.email } })).status, 200);
      assert.equal((await api(limited).post('/request-reset-pwd', { body: { email: 'nobody@example.com' } })).status,
        200);
    }
    for (const email of [ada.email, 'nobody@example.com']) {
      const refused = await api(limited).post('/request-reset-pwd', { body: { email } });
      fails(refused, 429, 'Too many attempts, try again later');
      assert.ok(Number(refused.headers['retry-after']) > 3000);
    }
    await limited.stop();
  });
});
