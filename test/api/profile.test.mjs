// One's own profile and number: USR-12, 13, 15, 72 and 73.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { codeTo, newPhone, otherCode, signUp } from '../lib/userstate.mjs';

let server;
let client;
before(async () => { server = await startServer(); client = api(server); });
after(() => server?.stop());

const change = (person, body) => person.api.put('/user/profile', { body });
const isVerified = async (phone) => (await query(server.database,
  `SELECT phone_verified_at IS NOT NULL AS yes FROM users WHERE phone = '${phone}'`))[0]?.yes;

describe('the profile', () => {
  test('of a person of the bank surface has the same shape', async () => {
    const ada = await register(server, { name: 'Ada Augusta King', email: 'ada@example.com' });
    const reply = await ada.api.get('/user/profile');
    assert.equal(reply.status, 200);
    const { referral_code } = (await ada.api.get('/user/referral-code')).json;
    assert.deepEqual(reply.json, { username: 'ada', full_name: 'Ada Augusta King', email: 'ada@example.com',
      phone_number: null, profile_img: null, referral_code, balance: 0, points: 0 });
    assert.deepEqual((await ada.api.get('/user/referral-code')).json, { referral_code });
  });

  test('is changed by name, by number or by both, and everybody sees it', async () => {
    const ann = await signUp(server);
    const before = (await ann.api.get('/user/profile')).json;
    const named = await change(ann, { full_name: ' Ann Marie Lee ' });
    assert.equal(named.status, 200, named.text);
    assert.deepEqual(named.json, { ...before, full_name: 'Ann Marie Lee' });
    const phone = newPhone();
    const numbered = await change(ann, { phone_number: `+${phone}` });
    assert.deepEqual(numbered.json, { ...named.json, phone_number: phone });
    const both = await change(ann, { full_name: 'Cher', phone_number: '08123456789' });
    assert.deepEqual(both.json, { ...before, full_name: 'Cher', phone_number: '628123456789' });
    assert.deepEqual((await ann.api.get('/user/profile')).json, both.json);
    assert.equal((await ann.api.get('/api/auth/me')).json.user.name, 'Cher');
  });

  test('refuses what is no name or no number', async () => {
    const ann = await signUp(server);
    fails(await change(ann, {}), 400, 'Validation failed', ['full_name']);
    for (const full_name of ['', '  ', 'x'.repeat(101), 5, null]) {
      fails(await change(ann, { full_name }), 400, 'Validation failed', ['full_name']);
    }
    fails(await change(ann, { phone_number: null }), 400, 'Validation failed', ['phone_number']);
    for (const phone_number of ['', '1234567', '1234567890123456', '62812-3456789', '+0812345678']) {
      fails(await change(ann, { phone_number }), 400, 'PhoneFormatErr');
    }
    fails(await client.put('/user/profile', { body: { full_name: 'X' } }), 401, 'Unauthorized');
  });

  test('takes nobody\'s number, proved or not', async () => {
    const phone = newPhone();
    await signUp(server, { phone_number: phone });
    const ann = await signUp(server);
    fails(await change(ann, { phone_number: phone }), 409, 'Phone number is already registered');
    const free = newPhone();
    const others = await Promise.all([1, 2, 3, 4].map(() => signUp(server)));
    const replies = await Promise.all(others.map((person) => change(person, { phone_number: free })));
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 409, 409, 409]);
  });

  test('another number has not been proved; the same one stays so', async () => {
    const phone = newPhone();
    const ann = await signUp(server, { phone_number: phone, mode: 'OTP' });
    await change(ann, { phone_number: phone });
    assert.equal(await isVerified(phone), true);
    const other = newPhone();
    await change(ann, { phone_number: other });
    assert.equal(await isVerified(other), false);
  });
});

describe('proving a number', () => {
  const request = (person, body) => person.api.post('/user/verify-phone/request', { body });
  const prove = (person, otp) => person.api.post('/user/verify-phone', { body: { otp } });

  test('by a code that is sent to the stored one', async () => {
    const phone = newPhone();
    const ann = await signUp(server, { phone_number: phone });
    const asked = await ann.api.post('/user/verify-phone/request');
    assert.equal(asked.status, 200, asked.text);
    assert.deepEqual(asked.json, { status: true, message: 'OTP sent' });
    const otp = await codeTo(server, phone);
    fails(await prove(ann, otherCode(otp)), 400, 'Invalid OTP');
    assert.equal(await isVerified(phone), false);
    const reply = await prove(ann, otp);
    assert.deepEqual(reply.json, { status: true, message: 'Phone verified' });
    assert.equal(await isVerified(phone), true);
    fails(await prove(ann, otp), 400, 'Invalid OTP');
  });

  test('of another number, which is stored when it is proved', async () => {
    const [old, phone] = [newPhone(), newPhone()];
    const ann = await signUp(server, { phone_number: old });
    await request(ann, { phone_number: `+${phone}` });
    assert.equal((await ann.api.get('/user/profile')).json.phone_number, old);
    assert.equal((await prove(ann, await codeTo(server, phone))).status, 200);
    assert.equal((await ann.api.get('/user/profile')).json.phone_number, phone);
  });

  test('needs a number that is one', async () => {
    const ann = await signUp(server);
    fails(await ann.api.post('/user/verify-phone/request'), 400, 'PhoneRequired');
    fails(await request(ann, { phone_number: null }), 400, 'PhoneRequired');
    fails(await request(ann, { phone_number: '12' }), 400, 'PhoneFormatErr');
    fails(await prove(ann, '123456'), 400, 'Invalid OTP');
    fails(await ann.api.post('/user/verify-phone', { body: {} }), 400, 'Validation failed', ['otp']);
    fails(await client.post('/user/verify-phone/request'), 401, 'Unauthorized');
    fails(await client.post('/user/verify-phone', { body: { otp: '123456' } }), 401, 'Unauthorized');
  });

  test('five wrong ones void the code; a new one counts anew', async () => {
    const phone = newPhone();
    const ann = await signUp(server, { phone_number: phone });
    await request(ann, {});
    const otp = await codeTo(server, phone);
    const guesses = await Promise.all([1, 2, 3, 4, 5].map(() => prove(ann, otherCode(otp))));
    for (const guess of guesses) fails(guess, 400, 'Invalid OTP');
    fails(await prove(ann, otp), 400, 'Invalid OTP');
    await request(ann, {});
    assert.equal((await prove(ann, await codeTo(server, phone, 2))).status, 200);
  });

  test('a code is somebody\'s own, and good for five minutes', async () => {
    const [one, two] = [newPhone(), newPhone()];
    const [ann, ben] = [await signUp(server, { phone_number: one }), await signUp(server, { phone_number: two })];
    await request(ann, {});
    await request(ben, {});
    const [a, b] = [await codeTo(server, one), await codeTo(server, two)];
    if (a !== b) fails(await prove(ben, a), 400, 'Invalid OTP');
    await execute(server.database, 'UPDATE phone_codes SET expires_at = now()');
    fails(await prove(ann, a), 400, 'Invalid OTP');
    const [row] = await query(server.database, 'SELECT phone_codes::text AS all FROM phone_codes LIMIT 1');
    for (const code of [a, b]) assert.ok(!row.all.includes(Buffer.from(code).toString('hex')));
  });

  test('takes it from who has not proved it; who has keeps it', async () => {
    const phone = newPhone();
    const squatter = await signUp(server, { phone_number: phone });
    const [ann, ben] = [await signUp(server), await signUp(server)];
    await request(ann, { phone_number: phone });
    const first = await codeTo(server, phone);   // before the next one: they may overtake each other on their way
    await request(ben, { phone_number: phone });
    const second = await codeTo(server, phone, 2);
    assert.equal((await prove(ann, first)).status, 200);
    assert.equal((await squatter.api.get('/user/profile')).json.phone_number, null);
    fails(await prove(ben, second), 409, 'Phone number is already registered');
    assert.equal((await ann.api.get('/user/profile')).json.phone_number, phone);
  });

  test('five codes an hour to one number, whoever asks', async () => {
    const limited = await startServer({ env: { TALLY_RATE_LIMIT: 'on' } });
    const phone = newPhone();
    const [ann, ben] = [await signUp(limited), await signUp(limited)];
    for (let i = 0; i < 5; i++) assert.equal((await request(i % 2 ? ann : ben, { phone_number: phone })).status, 200);
    for (const person of [ann, ben]) {
      const refused = await request(person, { phone_number: phone });
      fails(refused, 429, 'Too many OTP requests');
      assert.ok(Number(refused.headers['retry-after']) > 3000);
    }
    await limited.stop();
  });
});
