// Becoming a customer, logging in and out, and proving an e-mail address: BANK-01, 02, 20, 21, 26.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { mailTo } from '../lib/mails.mjs';
import { register } from '../lib/people.mjs';
import { query, execute } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const ADA = { name: 'Ada Augusta King', email: 'ada@example.com', password: 'correct horse' };

const linkIn = (text) => /https?:\/\/\S*\/verify-email\?token=([A-Za-z0-9_-]{43})/.exec(text);

function refused(reply, status, message) {
  assert.equal(reply.status, status, reply.text);
  assert.equal(reply.json.message, message);
  assert.equal(reply.json.errorCode, status);
  assert.equal(reply.json.success, false);
}

describe('registering', () => {
  let server, client;
  before(async () => { server = await startServer(); client = api(server); });
  after(() => server.stop());

  test('makes a customer, answers with a token that works at once, and sets the cookie', async () => {
    const body = { ...ADA, name: `  ${ADA.name} `, email: 'Ada@Example.COM' };
    const reply = await client.post('/api/auth/register', { body });
    assert.equal(reply.status, 201, reply.text);
    const { message, user, token } = reply.json;
    assert.equal(message, 'User registered successfully');
    assert.match(user._id, /^[0-9a-f]{24}$/);
    assert.deepEqual(user, { _id: user._id, name: ADA.name, email: ADA.email });
    assert.equal(reply.headers['set-cookie'][0], `token=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400`);
    const me = await client.get('/api/auth/me', { token });
    assert.equal(me.status, 200);
    assert.deepEqual(me.json, { user });
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    assert.equal(claims.sub, user._id);
    assert.equal(claims.user, 'ada');
    assert.equal(claims.realm, 'customer');
    assert.equal(claims.exp - claims.iat, 86400);
  });

  test('writes all that belongs to a customer, and of the secrets only hashes', async () => {
    const [row] = await query(server.database, `
      SELECT u.first_name, u.last_name, u.username, u.referral_code, u.email_verified_at, c.password_hash,
             t.token_hash::text, t.expires_at - t.created_at = interval '7 days' AS a_week, a.asset, a.balance
      FROM users u JOIN user_credentials c ON c.user_id = u.id JOIN one_time_tokens t ON t.user_id = u.id
      JOIN account a ON a.owner_user_id = u.id AND a.kind = 'points' WHERE u.email = '${ADA.email}'`);
    assert.equal(row.first_name, 'Ada');
    assert.equal(row.last_name, 'Augusta King');
    assert.match(row.referral_code, /^[A-Z0-9]{8}$/);
    assert.match(row.password_hash, /^\$argon2id\$/);
    assert.equal(row.email_verified_at, null);
    assert.deepEqual([row.a_week, row.asset, row.balance], [true, 'PTS', 0]);
    const [, token] = linkIn((await mailTo(server, ADA.email)).text);
    assert.ok(!row.token_hash.includes(Buffer.from(token).toString('hex')));
    const emptied = `SELECT 1 FROM mail_outbox WHERE status = 'sent' AND body = ''`;
    await until(async () => (await query(server.database, emptied)).length, 'the sent text to be forgotten');
  });

  test('refuses an address that is registered, whatever its case', async () => {
    const body = { ...ADA, email: 'ADA@example.com' };
    refused(await client.post('/api/auth/register', { body }), 409, 'Email is already registered');
  });

  test('gives one of two at the same moment the address', async () => {
    const body = { ...ADA, email: 'twin@example.com' };
    const replies = await Promise.all([1, 2, 3, 4].map(() => client.post('/api/auth/register', { body })));
    assert.deepEqual(replies.map((r) => r.status).sort(), [201, 409, 409, 409]);
  });

  test('finds a username for everybody with the same local part', async () => {
    const addresses = [1, 2, 3, 4, 5, 6].map((n) => `same@host${n}.example.com`);
    const people = await Promise.all(addresses.map((email) => register(client, { email })));
    const names = people.map((p) => JSON.parse(Buffer.from(p.token.split('.')[1], 'base64url')).user);
    assert.equal(new Set(names).size, 6);
    for (const name of names) assert.match(name, /^same\d*$/);
  });

  const invalid = [
    ['nothing', {}, ['name', 'email', 'password']],
    ['blanks for a name', { ...ADA, name: '   ' }, ['name']],
    ['a name of 101 characters', { ...ADA, name: 'x'.repeat(101) }, ['name']],
    ['no address', { ...ADA, email: 'ada' }, ['email']],
    ['a number for an address', { ...ADA, email: 7 }, ['email']],
    ['a password of 7 characters', { ...ADA, password: '1234567' }, ['password']],
    ['a password of 129 characters', { ...ADA, password: 'x'.repeat(129) }, ['password']],
  ];
  for (const [what, body, fields] of invalid) {
    test(`refuses ${what}`, async () => {
      const reply = await client.post('/api/auth/register', { body });
      refused(reply, 400, 'Validation failed');
      assert.deepEqual(reply.json.errors.map((e) => e.field), fields);
    });
  }

  test('takes a name and a password of the greatest length', async () => {
    const body = { name: 'ü'.repeat(100), email: 'long@example.com', password: '😀'.repeat(128) };
    assert.equal((await client.post('/api/auth/register', { body })).status, 201);
    assert.equal((await client.post('/api/auth/login', { body })).status, 200);
  });

  test('with a referral code notes who came by whom', async () => {
    const owner = await register(client, { email: 'owner@example.com' });
    const [{ code }] = await query(server.database,
      `SELECT referral_code AS code FROM users WHERE email = '${owner.email}'`);
    const names = { 'one@example.com': 'referralCode', 'two@example.com': 'referral_code', 'three@example.com': 'ref' };
    for (const [email, field] of Object.entries(names)) {
      const reply = await client.post('/api/auth/register', { body: { ...ADA, email, [field]: code.toLowerCase() } });
      assert.equal(reply.status, 201, reply.text);
    }
    const rows = await query(server.database, `
      SELECT r.status, r.code_used, r.points_earned, o.email AS referrer, p.email AS referred
      FROM referrals r JOIN users o ON o.id = r.referrer_id JOIN users p ON p.id = r.referred_user_id ORDER BY r.id`);
    const row = { status: 'pending', code_used: code, points_earned: 0, referrer: owner.email };
    assert.deepEqual(rows, Object.keys(names).map((referred) => ({ ...row, referred })));
    assert.equal((await owner.api.get('/api/points/my-points')).json.data.referralsCount, 3);
  });

  test('with a code that is nobody\'s writes nothing', async () => {
    const body = { ...ADA, email: 'nobody@example.com', referralCode: 'NOSUCH00' };
    refused(await client.post('/api/auth/register', { body }), 400, 'Referral code not found');
    assert.deepEqual(await query(server.database, `SELECT 1 FROM users WHERE email = 'nobody@example.com'`), []);
    assert.equal((await client.post('/api/auth/register', { body: { ...body, referralCode: null } })).status, 201);
  });
});

describe('logging in', () => {
  let server, client, ada;
  before(async () => { server = await startServer(); client = api(server); ada = await register(client, ADA); });
  after(() => server.stop());
  const login = (body) => client.post('/api/auth/login', { body });

  test('answers with a new token and the cookie', async () => {
    const reply = await login({ email: 'ADA@example.com', password: ADA.password });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.message, 'Login successful');
    assert.deepEqual(reply.json.user, { _id: ada.id, name: ADA.name, email: ADA.email });
    assert.notEqual(reply.json.token, ada.token);
    const cookie = `token=${reply.json.token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400`;
    assert.equal(reply.headers['set-cookie'][0], cookie);
    for (const headers of [{ cookie: `token=${reply.json.token}` }, { authorization: `Bearer ${ada.token}` }]) {
      assert.equal((await client.get('/api/auth/me', { headers })).json.user._id, ada.id);
    }
  });

  test('tells nothing of why it fails', async () => {
    await execute(server.database,
      `INSERT INTO users (username, email, first_name) VALUES ('g', 'g@example.com', 'G')`);
    const failures = [
      { email: ADA.email, password: 'wrong horse' },
      { email: 'nobody@example.com', password: 'wrong horse' },
      { email: 'g@example.com', password: 'wrong horse' },   // has no password
      { email: ADA.email, password: '😀'.repeat(200) },
    ];
    const replies = [];
    for (const failure of failures) replies.push(await login(failure));
    for (const reply of replies) {
      refused(reply, 401, 'Invalid email or password');
      assert.equal(reply.headers['set-cookie'], undefined);
      assert.deepEqual(reply.json, replies[0].json);
    }
  });

  test('takes as long for an unknown address as for a wrong password', async () => {
    const times = { known: [], unknown: [] };
    for (let i = 0; i < 5; i++) {
      for (const [which, email] of [['known', ADA.email], ['unknown', 'nobody@example.com']]) {
        const start = process.hrtime.bigint();
        await login({ email, password: 'wrong horse' });
        times[which].push(Number(process.hrtime.bigint() - start) / 1e6);
      }
    }
    const [known, unknown] = [Math.min(...times.known), Math.min(...times.unknown)];
    assert.ok(unknown > known / 2 && unknown < known * 2, `${known} ms known, ${unknown} ms unknown`);
    assert.ok(unknown > 10, `${unknown} ms is no argon2id`);
  });

  test('needs both fields', async () => {
    const reply = await login({});
    refused(reply, 400, 'Validation failed');
    assert.deepEqual(reply.json.errors.map((e) => e.field), ['email', 'password']);
  });

  test('tells only the right password that the user is disabled', async () => {
    await register(client, { ...ADA, email: 'off@example.com' });
    await execute(server.database, `UPDATE users SET status = 'disabled' WHERE email = 'off@example.com'`);
    refused(await login({ email: 'off@example.com', password: ADA.password }), 403, 'Account is Disabled');
    refused(await login({ email: 'off@example.com', password: 'wrong horse' }), 401, 'Invalid email or password');
  });

  test('takes the hash of another system and makes it ours', async () => {
    await register(client, { ...ADA, email: 'old@example.com' });
    // bcrypt of "password" with 2^10 rounds
    const bcrypt = '$2b$10$abcdefghijklmnopqrstuu5Lo0g67CiD3M4RpN1BmBb4Crp5w7dbK';
    const hash = async () => (await query(server.database, `
      SELECT password_hash AS hash FROM user_credentials c JOIN users u ON u.id = c.user_id
      WHERE u.email = 'old@example.com'`))[0].hash;
    await execute(server.database, `UPDATE user_credentials SET password_hash = '${bcrypt}'
      WHERE user_id = (SELECT id FROM users WHERE email = 'old@example.com')`);
    assert.equal((await login({ email: 'old@example.com', password: 'password' })).status, 200);
    await until(async () => (await hash()).startsWith('$argon2id$'), 'the new hash');
    assert.equal((await login({ email: 'old@example.com', password: 'password' })).status, 200);
  });
});

describe('logging out', () => {
  let server, client;
  before(async () => { server = await startServer(); client = api(server); });
  after(() => server.stop());

  test('revokes the presented token, at once, and clears the cookie', async () => {
    const person = await register(client, { email: 'out@example.com' });
    const other = await client.post('/api/auth/login', { body: person });
    const ws = await socket(server, { token: person.token });
    const reply = await person.api.post('/api/auth/logout');
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json, { message: 'Logged out successfully' });
    assert.equal(reply.headers['set-cookie'][0], 'token=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
    refused(await person.api.get('/api/auth/me'), 401, 'Unauthorized');
    refused(await person.api.post('/api/auth/logout'), 401, 'Unauthorized');
    refused(await client.get('/api/accounts', { headers: { cookie: `token=${person.token}` } }), 401, 'Unauthorized');
    assert.equal((await client.get('/api/auth/me', { token: other.json.token })).status, 200);
    await ws.closed();
  });

  test('by cookie works from our own pages only', async () => {
    const { token } = await register(client, { email: 'cookie@example.com' });
    const cookie = `token=${token}`;
    const headers = { cookie, origin: 'https://evil.example' };
    assert.equal((await client.post('/api/auth/logout', { headers })).status, 403);
    assert.equal((await client.post('/api/auth/logout', { headers: { cookie } })).status, 200);
    refused(await client.get('/api/auth/me', { headers: { cookie } }), 401, 'Unauthorized');
  });

  test('without a token only clears the cookie', async () => {
    const reply = await client.post('/api/auth/logout');
    assert.equal(reply.status, 200);
    assert.match(reply.headers['set-cookie'][0], /^token=; .*Max-Age=0/);
  });

  test('is kept over a restart', async () => {
    const person = await register(client, { email: 'restart@example.com' });
    assert.equal((await person.api.post('/api/auth/logout')).status, 200);
    await server.restart();
    refused(await api(server).get('/api/auth/me', { token: person.token }), 401, 'Unauthorized');
  });

  for (const token of ['nonsense', 'a.b.c', '']) {
    test(`and every other call refuses the token "${token}"`, async () => {
      for (const [method, where] of [['get', '/api/auth/me'], ['post', '/api/auth/logout']]) {
        refused(await client[method](where, { headers: { authorization: `Bearer ${token}` } }), 401, 'Unauthorized');
      }
    });
  }
});

describe('verifying an e-mail address', () => {
  let server, client;
  before(async () => {
    server = await startServer({ env: { TALLY_PUBLIC_URL: 'https://tally.example.com' } });
    client = api(server);
  });
  after(() => server.stop());
  const verify = (token) => client.post('/api/auth/verify-email', { body: { token } });
  const verifiedAt = async (email) =>
    (await query(server.database, `SELECT email_verified_at AS at FROM users WHERE email = '${email}'`))[0].at;

  test('the link in the welcome mail works once', async () => {
    const { email } = await register(client, { name: 'Ann <b>', email: 'ann@example.com' });
    const welcome = await mailTo(server, email);
    const [link, token] = linkIn(welcome.text);
    assert.equal(link, `https://tally.example.com/verify-email?token=${token}`);
    assert.equal(welcome.subject, 'Welcome');
    const reply = await verify(token);
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { message: 'Email verified' });
    assert.ok(await verifiedAt(email));
    refused(await verify(token), 401, 'Verification link is invalid or expired');
  });

  test('of two at the same moment one uses it up', async () => {
    const { email } = await register(client, { email: 'both@example.com' });
    const [, token] = linkIn((await mailTo(server, email)).text);
    const replies = await Promise.all([1, 2, 3].map(() => verify(token)));
    assert.deepEqual(replies.map((r) => r.status).sort(), [200, 401, 401]);
  });

  test('an unknown, an expired and an outdated link are refused alike', async () => {
    const expired = await register(client, { email: 'expired@example.com' });
    const moved = await register(client, { email: 'moved@example.com' });
    const mails = [await mailTo(server, expired.email), await mailTo(server, moved.email)];
    const links = mails.map((mail) => linkIn(mail.text)[1]);
    await execute(server.database, `UPDATE one_time_tokens SET expires_at = now() WHERE email = '${expired.email}';
      UPDATE users SET email = 'elsewhere@example.com' WHERE email = '${moved.email}'`);
    for (const token of [...links, 'x'.repeat(43), 'ü']) {
      refused(await verify(token), 401, 'Verification link is invalid or expired');
    }
    assert.equal(await verifiedAt('elsewhere@example.com'), null);
    refused(await client.post('/api/auth/verify-email', { body: {} }), 400, 'Validation failed');
  });

  test('a new link can be asked for until it is verified', async () => {
    const person = await register(client, { email: 'again@example.com' });
    const resend = () => person.api.post('/api/auth/verify-email/resend');
    assert.deepEqual((await resend()).json, { message: 'Verification email sent' });
    const second = await mailTo(server, person.email, 2);
    assert.equal(second.subject, 'Confirm your e-mail address');
    assert.equal((await verify(linkIn(second.text)[1])).status, 200);
    assert.deepEqual((await resend()).json, { message: 'Email is already verified' });
    refused(await client.post('/api/auth/verify-email/resend'), 401, 'Unauthorized');
  });

  test('the page has a button, no inline script, and changes nothing', async () => {
    const { email } = await register(client, { email: 'page@example.com' });
    const [, token] = linkIn((await mailTo(server, email)).text);
    const page = await client.get(`/verify-email?token=${token}`);
    assert.equal(page.status, 200);
    assert.match(page.headers['content-type'], /^text\/html/);
    assert.match(page.headers['content-security-policy'], /default-src 'self'/);
    assert.match(page.text, /<form [^>]*action="\/api\/auth\/verify-email"[^>]*><button>/);
    assert.ok(!/<script(?![^>]*src=)/.test(page.text) && !/ on\w+=/.test(page.text));
    const [, src] = /<script src="([^"]+)"/.exec(page.text);
    const script = await client.get(src);
    assert.match(script.headers['content-type'], /^text\/javascript/);
    assert.match(script.text, /form\.action/);
    assert.equal((await client.head(`/verify-email?token=${token}`)).status, 200);
    assert.equal(await verifiedAt(email), null);
    assert.equal((await verify(token)).status, 200);
  });
});

describe('limits', () => {
  let server, client;
  before(async () => { server = await startServer({ env: { TALLY_RATE_LIMIT: 'on' } }); client = api(server); });
  after(() => server.stop());
  const login = (email, password) => client.post('/api/auth/login', { body: { email, password } });
  function limited(reply, within) {
    refused(reply, 429, 'Too many attempts, try again later');
    const wait = Number(reply.headers['retry-after']);
    assert.ok(wait > 0 && wait <= within, `Retry-After ${wait}`);
  }

  test('ten failures for an address and client, then even the right password waits', async () => {
    await register(client, ADA);
    const replies = [];
    for (let i = 0; i < 10; i++) replies.push((await login(ADA.email, 'wrong horse')).status);
    assert.deepEqual(replies, Array(10).fill(401));
    limited(await login(ADA.email, ADA.password), 900);
    await execute(server.database, `UPDATE attempts SET created_at = created_at - interval '15 minutes'`);
    assert.equal((await login(ADA.email, ADA.password)).status, 200);
  });

  test('guesses at the same moment are no way around it', async () => {
    await execute(server.database, 'DELETE FROM attempts');
    const wrong = Array.from({ length: 20 }, () => login(ADA.email, 'wrong horse'));
    await Promise.any(wrong);   // the others are waiting for their turn by now, and so will these four
    const right = await Promise.all(Array.from({ length: 4 }, () => login(ADA.email, ADA.password)));
    assert.deepEqual(right.map(({ status }) => status), Array(4).fill(429));
    await Promise.all(wrong);
    limited(await login(ADA.email, ADA.password), 900);
  });

  test('thirty failures for a client, whatever the addresses', async () => {
    await execute(server.database, 'DELETE FROM attempts');
    for (let i = 0; i < 30; i++) assert.equal((await login(`nobody${i % 6}@example.com`, 'wrong horse')).status, 401);
    limited(await login('somebody@example.com', 'wrong horse'), 900);
  });

  test('twenty registrations an hour for a client', async () => {
    await execute(server.database, 'DELETE FROM attempts');
    const body = { ...ADA, email: 'ada@example.com' };   // refused ones count: they tell who is registered
    for (let i = 0; i < 20; i++) assert.equal((await client.post('/api/auth/register', { body })).status, 409);
    limited(await client.post('/api/auth/register', { body: { ...ADA, email: 'new@example.com' } }), 3600);
  });

  test('five links an hour for a person', async () => {
    await execute(server.database, 'DELETE FROM attempts');
    const person = await register(client, { email: 'links@example.com' });
    for (let i = 0; i < 5; i++) assert.equal((await person.api.post('/api/auth/verify-email/resend')).status, 200);
    limited(await person.api.post('/api/auth/verify-email/resend'), 3600);
  });
});
