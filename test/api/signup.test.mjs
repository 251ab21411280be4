// Becoming a customer of the userstate surface: USR-02, 03, 04 and 60. A sign-up waits until the mailed link or the
// code by SMS comes back; nothing is anybody's before that.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { mailsTo } from '../lib/mails.mjs';
import { register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { claimsOf } from '../lib/tokens.mjs';
import { codeTo, linkTo, newcomer, newPhone, otherCode, signUp } from '../lib/userstate.mjs';
import { until } from '../lib/wait.mjs';

let server;
let client;
before(async () => { server = await startServer(); client = api(server); });
after(() => server?.stop());

const signup = (body) => client.post('/signup', { body });
const confirm = (body) => client.post('/verify-sign-up', { body });
const enter = (username, password = 'correct horse') => client.post('/auth', { body: { username, password } });
const usersWith = (condition) => query(server.database, `SELECT username, email, phone,
  email_verified_at IS NOT NULL AS email_verified, phone_verified_at IS NOT NULL AS phone_verified
  FROM users WHERE ${condition}`);

describe('a sign-up by link', () => {
  const ada = newcomer({ full_name: 'Ada Augusta King', phone_number: '0812345678901' });

  test('waits, and says so', async () => {
    const reply = await signup({ ...ada, email: ada.email.toUpperCase() });
    assert.equal(reply.status, 201, reply.text);
    assert.deepEqual(reply.json, { status: true, message: 'Verification link sent', mode: 'LINK' });
    assert.deepEqual(await usersWith(`email = '${ada.email}'`), []);
  });

  test('does not let anybody in: only the right password learns what is missing', async () => {
    for (const name of [ada.username, ada.email]) {
      fails(await enter(name), 403, 'Account is Not Confirmed');
      fails(await enter(name, 'wrong horse'), 422, 'Invalid Credential');
    }
  });

  test('keeps of its secrets only hashes', async () => {
    const token = await linkTo(server, ada.email, 'verify-sign-up');
    const [row] = await query(server.database, `SELECT pending_signups::text AS all, password_hash AS hash
      FROM pending_signups WHERE email = '${ada.email}'`);
    assert.match(row.hash, /^\$argon2id\$/);
    for (const secret of [token, Buffer.from(token).toString('hex'),
      ada.password]) assert.ok(!row.all.includes(secret));
  });

  test('the page behind the link changes nothing; a bad link is told', async () => {
    const token = await linkTo(server, ada.email, 'verify-sign-up');
    for (let i = 0; i < 2; i++) {
      const page = await client.get(`/verify-sign-up?token=${token}`);
      assert.equal(page.status, 200);
      assert.match(page.headers['content-type'], /^text\/html/);
      assert.match(page.text, /<button>/);
    }
    for (const bad of ['', '?token=', '?token=x', `?token=${token}x`]) {
      const page = await client.get(`/verify-sign-up${bad}`);
      assert.equal(page.status, 401);
      assert.match(page.headers['content-type'], /^text\/html/);
    }
    assert.deepEqual(await usersWith(`email = '${ada.email}'`), []);
  });

  test('becomes a user by the token, once, with a session and everything that belongs to him', async () => {
    const token = await linkTo(server, ada.email, 'verify-sign-up');
    const reply = await confirm({ token, otp: 'ignored here' });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { status: true, message: 'Account confirmed', token: reply.json.token, agent: false });
    const claims = claimsOf(reply.json.token);
    assert.equal(claims.user, ada.username);
    assert.equal(claims.agent, false);
    assert.equal(claims.realm, 'customer');
    const profile = await client.get('/user/profile', { token: reply.json.token });
    assert.match(profile.json.referral_code, /^[A-Z0-9]{8}$/);
    assert.deepEqual(profile.json, { username: ada.username, full_name: 'Ada Augusta King', email: ada.email,
      phone_number: '62812345678901', profile_img: null, referral_code: profile.json.referral_code, balance: 0,
        points: 0 });
    const [row] = await usersWith(`email = '${ada.email}'`);
    assert.deepEqual([row.email_verified, row.phone_verified], [true, false]);
    fails(await confirm({ token }), 401, 'Unauthorized');
    assert.equal((await enter(ada.username.toUpperCase())).status, 200);
    assert.equal((await client.post('/api/auth/login', { body: ada })).status, 200,
      'the same person on the bank surface');
  });

  test('takes the token from the query, the body and as Bearer; without one, or with a wrong one, it is 401',
    async () => {
    const ways = [
      (token) => client.post(`/verify-sign-up?token=${token}`),
      (token) => client.post('/verify-sign-up', { body: { token } }),
      (token) => client.post('/verify-sign-up', { token }),
    ];
    for (const way of ways) {
      const body = newcomer();
      assert.equal((await signup(body)).status, 201);
      const token = await linkTo(server, body.email, 'verify-sign-up');
      for (const bad of ['x', `${token.slice(1)}`, `${token}x`]) fails(await way(bad), 401, 'Unauthorized');
      assert.equal((await way(token)).status, 200);
    }
    fails(await client.post('/verify-sign-up'), 401, 'Unauthorized');
    fails(await confirm({ token: '' }), 401, 'Unauthorized');
    fails(await confirm({ token: null }), 401, 'Unauthorized');
  });

  test('again with the same e-mail replaces the one that waits, and its token', async () => {
    const body = newcomer();
    assert.equal((await signup(body)).status, 201);
    const first = await linkTo(server, body.email, 'verify-sign-up');
    const other = newcomer({ email: body.email, password: 'battery staple', mode: 'OTP', phone_number: newPhone() });
    assert.equal((await signup(other)).status, 201);
    fails(await confirm({ token: first }), 401, 'Unauthorized');
    fails(await enter(body.email), 422, 'Invalid Credential');
    fails(await enter(body.email, other.password), 403, 'OTP Not Confirmed');
    assert.equal((await signup(body)).status, 201);
    const second = await linkTo(server, body.email, 'verify-sign-up', 2);
    assert.equal((await confirm({ token: second })).status, 200);
  });

  test('is forgotten after a day', async () => {
    const body = newcomer();
    await signup(body);
    const token = await linkTo(server, body.email, 'verify-sign-up');
    const [{ day }] = await query(server.database, `SELECT expires_at - created_at = interval '24 hours' AS day
      FROM pending_signups WHERE email = '${body.email}'`);
    assert.equal(day, true);
    await execute(server.database, `UPDATE pending_signups SET expires_at = now() WHERE email = '${body.email}'`);
    fails(await confirm({ token }), 401, 'Unauthorized');
    assert.equal((await client.get(`/verify-sign-up?token=${token}`)).status, 401);
    fails(await enter(body.username), 422, 'Invalid Credential');
  });
});

describe('a sign-up by code', () => {
  test('answers with the token that belongs to the code, and sends no link', async () => {
    const body = newcomer({ mode: 'OTP', phone_number: newPhone() });
    const reply = await signup(body);
    assert.equal(reply.status, 201, reply.text);
    assert.match(reply.json.token, /^[\w-]{43}$/);
    assert.deepEqual(reply.json, { status: true, message: 'OTP sent', mode: 'OTP', token: reply.json.token });
    const { token } = reply.json;
    const otp = await codeTo(server, body.phone_number);
    fails(await enter(body.username), 403, 'OTP Not Confirmed');
    fails(await confirm({ token }), 400, 'Invalid OTP');
    fails(await confirm({ token, otp: otherCode(otp) }), 400, 'Invalid OTP');
    fails(await confirm({ token: `${token}x`, otp }), 401, 'Unauthorized');
    const confirmed = await confirm({ token, otp });
    assert.equal(confirmed.status, 200, confirmed.text);
    assert.equal((await client.get('/verify', { token: confirmed.json.token })).json.user, body.username);
    const [row] = await usersWith(`phone = '${body.phone_number}'`);
    assert.deepEqual([row.email_verified, row.phone_verified], [false, true]);
    // What the code does not prove, the welcome's link does.
    const link = await linkTo(server, body.email, 'verify-email');
    assert.equal((await client.post('/api/auth/verify-email', { body: { token: link } })).status, 200);
    assert.equal((await mailsTo(server, body.email)).length, 1);
    fails(await confirm({ token, otp }), 401, 'Unauthorized');
  });

  test('a code is guessed at most five times: then the right one is void, too', async () => {
    const body = newcomer({ mode: 'OTP', phone_number: newPhone() });
    const { token } = (await signup(body)).json;
    const otp = await codeTo(server, body.phone_number);
    const guesses = await Promise.all([1, 2, 3, 4, 5].map(() => confirm({ token, otp: otherCode(otp) })));
    for (const guess of guesses) fails(guess, 400, 'Invalid OTP');
    fails(await confirm({ token, otp }), 400, 'Invalid OTP');
    assert.deepEqual(await usersWith(`email = '${body.email}'`), []);
  });

  test('the fifth try may be the right one', async () => {
    const body = newcomer({ mode: 'OTP', phone_number: newPhone() });
    const { token } = (await signup(body)).json;
    const otp = await codeTo(server, body.phone_number);
    for (let i = 0; i < 4; i++) fails(await confirm({ token, otp: otherCode(otp) }), 400, 'Invalid OTP');
    assert.equal((await confirm({ token, otp })).status, 200);
  });

  test('of a hundred at the same moment no more than five are looked at', async () => {
    const body = newcomer({ mode: 'OTP', phone_number: newPhone() });
    const { token } = (await signup(body)).json;
    const otp = await codeTo(server, body.phone_number);
    const guesses = Array.from({ length: 99 }, (_, i) => String((Number(otp) + 1 + i) % 1_000_000).padStart(6, '0'));
    const replies = await Promise.all(guesses.map((guess) => confirm({ token, otp: guess })));
    for (const reply of replies) fails(reply, 400, 'Invalid OTP');
    fails(await confirm({ token, otp }), 400, 'Invalid OTP');
  });

  test('is good for five minutes', async () => {
    const body = newcomer({ mode: 'OTP', phone_number: newPhone() });
    const { token } = (await signup(body)).json;
    const otp = await codeTo(server, body.phone_number);
    const [{ five }] = await query(server.database, `SELECT otp_expires_at - created_at = interval '5 minutes' AS five
      FROM pending_signups WHERE email = '${body.email}'`);
    assert.equal(five, true);
    await execute(server.database, `UPDATE pending_signups SET otp_expires_at = now() WHERE email = '${body.email}'`);
    fails(await confirm({ token, otp }), 400, 'Invalid OTP');
  });

  test('belongs to its sign-up: another\'s does not confirm it', async () => {
    const [one, two] = [1, 2].map(() => newcomer({ mode: 'OTP', phone_number: newPhone() }));
    const [first, second] = [await signup(one), await signup(two)];
    const [a, b] = [await codeTo(server, one.phone_number), await codeTo(server, two.phone_number)];
    if (a !== b) fails(await confirm({ token: first.json.token, otp: b }), 400, 'Invalid OTP');
    assert.equal((await confirm({ token: second.json.token, otp: b })).status, 200);
  });
});

describe('what a sign-up must be', () => {
  const bad = {
    'nothing': [{}, ['username', 'password', 'email', 'full_name']],
    'a name of two characters': [newcomer({ username: 'ab' }), ['username']],
    'a name of 33 characters': [newcomer({ username: 'a'.repeat(33) }), ['username']],
    'a name with a blank': [newcomer({ username: 'a b c' }), ['username']],
    'a name with an @': [newcomer({ username: 'a@b.example' }), ['username']],
    'a name in other letters': [newcomer({ username: 'аda_example' }), ['username']],
    'a name of digits': [newcomer({ username: '12345' }), ['username']],
    'a name that looks like an id': [newcomer({ username: '65d4f0a1b2c3d4e5f6071829' }), ['username']],
    'a name that looks like an id in capitals': [newcomer({ username: '65D4F0A1B2C3D4E5F6071829' }), ['username']],
    'a password of 7 characters': [newcomer({ password: '1234567' }), ['password']],
    'a password of 129 characters': [newcomer({ password: 'x'.repeat(129) }), ['password']],
    'no address': [newcomer({ email: 'ada' }), ['email']],
    'no name': [newcomer({ full_name: '  ' }), ['full_name']],
    'a name of 101 characters': [newcomer({ full_name: 'x'.repeat(101) }), ['full_name']],
    'another mode': [newcomer({ mode: 'PIGEON' }), ['mode']],
    'a number as a number': [newcomer({ phone_number: 628123456789 }), ['phone_number']],
  };
  for (const [what, [body, fields]] of Object.entries(bad)) {
    test(`not ${what}`, async () => fails(await signup(body), 400, 'Validation failed', fields));
  }

  test('mode OTP needs a number', async () => {
    for (const more of [{}, { phone_number: null }, { phone_number: '' }, { phone_number: '  ' }]) {
      fails(await signup(newcomer({ mode: 'OTP', ...more })), 400, 'PhoneRequired');
    }
  });

  test('a number has 8 to 15 digits', async () => {
    for (const number of ['1234567', '1234567890123456', '62812-345678', '+', '+0812345678', 'phone', '62812 345678']) {
      for (const mode of ['LINK', 'OTP']) {
        fails(await signup(newcomer({ mode, phone_number: number })), 400, 'PhoneFormatErr');
      }
    }
  });

  test('names that are just good', async () => {
    for (const username of ['a-b', 'A.b_c-9', '1a2', `x${'9'.repeat(31)}`, 'abcdefabcdefabcdefabcdeg', '._-']) {
      const reply = await signup(newcomer({ username }));
      assert.equal(reply.status, 201, `${username}: ${reply.text}`);
    }
  });

  test('the referral code must be somebody\'s', async () => {
    fails(await signup(newcomer({ referral_code: 'NOSUCH00' })), 400, 'Referral code not found');
    assert.equal((await signup(newcomer({ referral_code: null }))).status, 201);
    assert.equal((await signup(newcomer({ referral_code: '' }))).status, 201);
  });

  test('JSON that does not parse, and another type', async () => {
    fails(await signup('{'), 400, 'Invalid JSON', ['body']);
    fails(await client.post('/signup', { body: 'username=x', headers: { 'content-type': 'text/plain' } }), 415,
      'Invalid Content-Type');
  });
});

describe('what somebody has already', () => {
  let ann;
  before(async () => { ann = await signUp(server, { phone_number: newPhone(), mode: 'OTP' }); });

  test('is refused at once: e-mail, then name, then number', async () => {
    const linked = await signUp(server);
    fails(await signup(newcomer({ email: linked.email })), 409, 'Email is already registered');
    fails(await signup(newcomer({ username: ann.username.toUpperCase() })), 409, 'Username is already taken');
    fails(await signup(newcomer({ phone_number: ann.phone_number, mode: 'OTP' })), 409,
      'Phone number is already registered');
    fails(await signup(newcomer({ phone_number: ann.phone_number })), 409, 'Phone number is already registered');
    fails(await signup(newcomer({ username: ann.username, email: linked.email })), 409, 'Email is already registered');
  });

  test('USR-03 tells whether an e-mail is registered', async () => {
    const check = (email) => client.post('/check/email', { body: { email } });
    const free = await check('free@example.com');
    assert.equal(free.status, 200);
    assert.deepEqual(free.json, { status: true, message: 'Email is available', registered: false });
    fails(await check(ann.email.toUpperCase()), 409, 'Email is already registered');
    for (const email of ['x', '', 5, null, undefined]) fails(await check(email), 400, 'Validation failed', ['email']);
    const waiting = newcomer();
    await signup(waiting);
    assert.equal((await check(waiting.email)).status, 200, 'who waits has nothing yet');
  });

  test('was taken while one waited: 409, and the proof is not used up', async () => {
    const [one, two] = [newcomer(), newcomer()];
    two.username = one.username;
    for (const body of [one, two]) assert.equal((await signup(body)).status, 201);
    const [first, second] = [await linkTo(server, one.email, 'verify-sign-up'), await linkTo(server, two.email,
      'verify-sign-up')];
    assert.equal((await confirm({ token: first })).status, 200);
    fails(await confirm({ token: second }), 409, 'Username is already taken');
    assert.deepEqual(await usersWith(`email = '${two.email}'`), []);
    assert.equal((await client.get(`/verify-sign-up?token=${second}`)).status, 200);
  });

  test('two who confirm one name at the same moment: one has it', async () => {
    for (let round = 0; round < 5; round++) {
      const people = Array.from({ length: 4 }, () => newcomer());
      for (const body of people) {
        body.username = people[0].username;
        assert.equal((await signup(body)).status, 201);
      }
      const tokens = await Promise.all(people.map(({ email }) => linkTo(server, email, 'verify-sign-up')));
      const replies = await Promise.all(tokens.map((token) => confirm({ token })));
      assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 409, 409, 409]);
      for (const reply of replies) if (reply.status === 409) fails(reply, 409, 'Username is already taken');
      assert.equal((await usersWith(`lower(username) = lower('${people[0].username}')`)).length, 1);
    }
  });

  test('one token at the same moment makes one user', async () => {
    const body = newcomer();
    await signup(body);
    const token = await linkTo(server, body.email, 'verify-sign-up');
    const replies = await Promise.all(Array.from({ length: 8 }, () => confirm({ token })));
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, ...Array(7).fill(401)]);
  });
});

describe('who proves an address or a number takes it from one who has not', () => {
  test('the e-mail, by the link', async () => {
    const squatter = await register(server, { email: 'wanted@example.com', password: 'a squatter it is' });
    const owner = newcomer({ email: 'wanted@example.com' });
    assert.equal((await signup(owner)).status, 201);
    const [before] = await usersWith(`email = 'wanted@example.com'`);
    assert.notEqual(before.username, owner.username, 'nothing is taken before the proof');
    const token = await linkTo(server, owner.email, 'verify-sign-up');
    assert.equal((await confirm({ token })).status, 200);
    const [holder] = await usersWith(`email = 'wanted@example.com'`);
    assert.equal(holder.username, owner.username);
    assert.equal((await squatter.api.get('/api/auth/me')).json.user.email, null, 'he is told at once');
    fails(await client.post('/api/auth/login', { body: squatter }), 401, 'Invalid email or password');
    const old = await linkTo(server, 'wanted@example.com', 'verify-email');
    fails(await client.post('/api/auth/verify-email', { body: { token: old } }), 401);
    // Now it is proved, and nobody can take it.
    fails(await signup(newcomer({ email: 'wanted@example.com' })), 409, 'Email is already registered');
  });

  test('not by a code, which proves no e-mail', async () => {
    await register(server, { email: 'unproved@example.com' });
    fails(await signup(newcomer({ email: 'unproved@example.com', mode: 'OTP', phone_number: newPhone() })), 409,
      'Email is already registered');
  });

  test('the number, by the code; a link proves none', async () => {
    const phone = newPhone();
    const squatter = await signUp(server, { phone_number: phone });
    fails(await signup(newcomer({ phone_number: phone })), 409, 'Phone number is already registered');
    const owner = newcomer({ phone_number: phone, mode: 'OTP' });
    const { token } = (await signup(owner)).json;
    assert.equal((await confirm({ token, otp: await codeTo(server, phone) })).status, 200);
    assert.equal((await squatter.api.get('/user/profile')).json.phone_number, null);
    assert.deepEqual((await usersWith(`phone = '${phone}'`)).map(({ username }) => username), [owner.username]);
  });

  test('nothing is lost when the sign-up fails for another reason', async () => {
    const squatter = await register(server, { email: 'kept@example.com' });
    const [taken, owner] = [newcomer(), newcomer({ email: 'kept@example.com' })];
    owner.username = taken.username;
    for (const body of [taken, owner]) assert.equal((await signup(body)).status, 201);
    await confirm({ token: await linkTo(server, taken.email, 'verify-sign-up') });
    fails(await confirm({ token: await linkTo(server, owner.email, 'verify-sign-up') }), 409,
      'Username is already taken');
    assert.equal((await squatter.api.get('/api/auth/me')).json.user.email, 'kept@example.com');
  });
});

describe('who came by a referral code', () => {
  test('is pending while he waits, and rewards the referrer when he confirms', async () => {
    const referrer = await signUp(server);
    const { referral_code: code } = (await referrer.api.get('/user/referral-code')).json;
    const guest = newcomer({ referral_code: code.toLowerCase() });
    assert.equal((await signup(guest)).status, 201);
    const history = async () => (await referrer.api.get('/referral/history')).json
      .map(({ created_at, ...rest }) => { assert.match(created_at, /^\d{4}-.*Z$/); return rest; });
    const stats = async () => (await referrer.api.get('/referral/stats')).json;
    assert.deepEqual(await history(), [{ username: guest.username, referral_code: code, status: 'pending' }]);
    assert.deepEqual(await stats(),
      { total_referrals: 1, completed_referrals: 0, pending_referrals: 1, total_earned_points: 0 });
    assert.equal((await confirm({ token: await linkTo(server, guest.email, 'verify-sign-up') })).status, 200);
    assert.deepEqual(await history(), [{ username: guest.username, referral_code: code, status: 'completed' }]);
    assert.deepEqual(await stats(),
      { total_referrals: 1, completed_referrals: 1, pending_referrals: 0, total_earned_points: 50 });
    assert.equal((await referrer.api.get('/user/profile')).json.points, 50);
    const [row] = (await referrer.api.get('/points/history')).json;
    assert.deepEqual([row.type, row.amount, typeof row.id], ['CREDIT', 50, 'number']);
  });
});

describe('limits', () => {
  let limited;
  let other;
  before(async () => {
    limited = await startServer({ env: { TALLY_RATE_LIMIT: 'on' } });
    other = api(limited);
  });
  after(() => limited?.stop());

  test('five links an hour to one e-mail; five codes to one number', async () => {
    const body = newcomer();
    for (let i = 0; i < 5; i++) assert.equal((await other.post('/signup', { body })).status, 201);
    const sixth = await other.post('/signup', { body });
    fails(sixth, 429, 'Too many OTP requests');
    assert.ok(Number(sixth.headers['retry-after']) > 3000, sixth.headers['retry-after']);
    const phone_number = newPhone();
    for (let i = 0; i < 5; i++) {
      assert.equal((await other.post('/signup', { body: newcomer({ mode: 'OTP', phone_number }) })).status, 201);
    }
    fails(await other.post('/signup', { body: newcomer({ mode: 'OTP', phone_number }) }), 429, 'Too many OTP requests');
  });

  test('twenty sign-ups and questions an hour from one address, counted for all processes', async () => {
    const check = () => other.post('/check/email', { body: { email: 'someone@example.com' } });
    const count = async () => (await query(limited.database, `SELECT count(*)::int AS n FROM attempts
      WHERE kind = 'register'`))[0].n;
    assert.equal(await count(), 12);
    for (let n = await count(); n < 20; n++) assert.equal((await check()).status, 200);
    const refused = await check();
    fails(refused, 429);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    fails(await other.post('/signup', { body: newcomer() }), 429);
    await until(async () => (await count()) === 20, 'no refused one to be counted');
  });
});
