// Offers, questions, devices and the points' list of the userstate surface: USR-34, 36, 37, 38, 39, 41, 42, 61 and 62.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { logIn } from '../lib/people.mjs';
import { query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { signUp } from '../lib/userstate.mjs';

let server;
let client;
let service;
let ada;
let ben;
before(async () => {
  server = await startServer();
  client = api(server);
  const key = await server.command('apikey', 'add', '--holder', 'shop', '--scope', 'userstate');
  service = client.with({ basic: `shop:${key.trim().split(/\s+/).pop()}` });
  [ada, ben] = [await signUp(server), await signUp(server)];
});
after(() => server?.stop());

describe('offers', () => {
  const SALE = { title: 'Summer Sale', description: 'Get 50% off!', image_url: '/images/offer1.jpg',
    valid_until: '2099-12-31' };
  const offer = (more) => service.post('/marketing-offer', { body: { ...SALE, ...more } });
  const list = async (person) => (await person.api.get('/marketing-offer/list')).json;

  test('are made by a service; a bare date is valid to its last second', async () => {
    const reply = await offer();
    assert.equal(reply.status, 201, reply.text);
    const { data } = reply.json;
    assert.deepEqual(reply.json, { status: true, message: 'Marketing offer created', data: { id: data.id,
      title: SALE.title,
      description: SALE.description, image_url: SALE.image_url, valid_until: '2099-12-31T23:59:59.000Z',
        is_active: true } });
    assert.deepEqual(await list(ada), [data]);
    const exact = await offer({ valid_until: '2099-12-31T10:20:30.456+02:00', image_url: null });
    assert.equal(exact.json.data.valid_until, '2099-12-31T08:20:30.456Z');
    assert.equal(exact.json.data.image_url, null);
  });

  test('are listed newest first, while they are active and valid, to whom they are made', async () => {
    await offer({ title: 'past', valid_until: '2020-01-01' });
    await offer({ title: 'inactive', is_active: false });
    await offer({ title: 'for Ada', username: ada.username.toUpperCase() });
    await offer({ title: 'for all' });
    assert.deepEqual((await list(ada)).map(({ title }) => title), ['for all', 'for Ada', 'Summer Sale', 'Summer Sale']);
    assert.deepEqual((await list(ben)).map(({ title }) => title), ['for all', 'Summer Sale', 'Summer Sale']);
  });

  test('need a title, a description and an end; the user must be known', async () => {
    fails(await service.post('/marketing-offer', { body: {} }), 400, 'Validation failed',
      ['title', 'description', 'valid_until']);
    fails(await offer({ valid_until: 'soon', is_active: 'yes', title: ' ' }), 400, 'Validation failed',
      ['title', 'valid_until', 'is_active']);
    fails(await offer({ username: 'nobody' }), 500, 'Account does not exist');
  });
});

describe('questions', () => {
  test('are added by a service and read by anybody, newest first', async () => {
    assert.deepEqual((await client.get('/faq/list')).json, []);
    const add = (body) => service.post('/faq', { body });
    const first = await add({ question: 'How?', answer: 'Like this:\nso.', category: 'General' });
    assert.equal(first.status, 201, first.text);
    assert.deepEqual(first.json, { status: true, message: 'FAQ created',
      data: { id: first.json.data.id, question: 'How?', answer: 'Like this:\nso.', category: 'General' } });
    const second = await add({ question: 'Why?', answer: 'Because.' });
    assert.equal(second.json.data.category, null);
    assert.deepEqual((await client.get('/faq/list')).json, [second.json.data, first.json.data]);
    fails(await add({}), 400, 'Validation failed', ['question', 'answer']);
  });
});

describe('devices', () => {
  const register = (person, token, device_type = 'android') => person.api.post('/fcm/register', { body: { token,
    device_type } });
  const forget = (person, token) => person.api.delete(`/fcm/token?token=${encodeURIComponent(token)}`);
  const owners = async (token) => (await query(server.database, `SELECT username, device_type FROM fcm_tokens t
    JOIN users u ON u.id = t.user_id WHERE token = '${token}'`));

  test('are registered, once, and forgotten', async () => {
    for (const type of ['android', 'web', 'ios']) {
      const reply = await register(ada, 'a:token/with+signs=', type);
      assert.deepEqual([reply.status, reply.json], [200, { status: true, message: 'Token registered' }]);
    }
    assert.deepEqual(await owners('a:token/with+signs='), [{ username: ada.username, device_type: 'ios' }]);
    fails(await forget(ben, 'a:token/with+signs='), 404, 'Token Not Found');
    const gone = await forget(ada, 'a:token/with+signs=');
    assert.deepEqual([gone.status, gone.json], [200, { status: true, message: 'Token removed' }]);
    fails(await forget(ada, 'a:token/with+signs='), 404, 'Token Not Found');
    fails(await ada.api.delete('/fcm/token'), 400, 'Validation failed', ['token']);
  });

  test('a known one moves to who registers it', async () => {
    await register(ada, 'shared');
    await register(ben, 'shared', 'web');
    assert.deepEqual(await owners('shared'), [{ username: ben.username, device_type: 'web' }]);
  });

  test('may have long names; of a user the newest twenty are kept', async () => {
    const long = 'x'.repeat(4096);
    assert.equal((await register(ada, long)).status, 200);
    assert.equal((await register(ada, `${long}x`)).status, 400);
    for (let i = 0; i < 22; i++) await register(ada, `device ${i}`);
    assert.deepEqual((await owners(long)).length, 0);
    assert.equal((await owners('device 21')).length, 1);
    assert.equal((await query(server.database, `SELECT 1 FROM fcm_tokens t JOIN users u ON u.id = t.user_id
      WHERE username = '${ada.username}'`)).length, 20);
    for (const body of [{}, { token: '', device_type: 'tv' }]) {
      fails(await ada.api.post('/fcm/register', { body }), 400, 'Validation failed', ['token', 'device_type']);
    }
  });
});

describe('what moved on the points', () => {
  test('newest first, in pages, credits and debits with positive amounts', async () => {
    const who = { email: 'admin@example.com', password: 'admin password' };
    await server.command('user', 'add', '--email', who.email, '--password', who.password, '--role', 'admin');
    const admin = await logIn(server, who);
    const person = await signUp(server);
    const move = (amount, reason) => admin.api.post('/api/points/admin/add', { body: { userId: person.username, amount,
      reason } });
    for (const [amount, reason] of [[100, 'first'], [-30, 'second'], [5, 'third']]) {
      const reply = await move(amount, reason);
      assert.equal(reply.status, 200, reply.text);
    }
    const all = (await person.api.get('/points/history')).json;
    assert.deepEqual(all.map(({ type, amount, description }) => [type, amount, description]),
      [['CREDIT', 5, 'third'], ['DEBIT', 30, 'second'], ['CREDIT', 100, 'first']]);
    for (const row of all) {
      assert.deepEqual(Object.keys(row), ['id', 'type', 'amount', 'description', 'created_at']);
      assert.ok(Number.isSafeInteger(row.id) && /^\d{4}-.*Z$/.test(row.created_at));
    }
    const page = async (query) => (await person.api.get(`/points/history?${query}`)).json;
    assert.deepEqual(await page('limit=2'), all.slice(0, 2));
    assert.deepEqual(await page('limit=2&page=2'), all.slice(2));
    assert.deepEqual(await page('limit=2&page=3'), []);
    for (const [query, field] of [['limit=0', 'limit'], ['limit=501', 'limit'], ['page=0', 'page'], ['page=x',
      'page']]) {
      fails(await person.api.get(`/points/history?${query}`), 400, 'Validation failed', [field]);
    }
    assert.deepEqual((await ada.api.get('/points/history')).json, []);
  });

  test('referrals of somebody without any', async () => {
    assert.deepEqual((await ada.api.get('/referral/history')).json, []);
    assert.deepEqual((await ada.api.get('/referral/stats')).json,
      { total_referrals: 0, completed_referrals: 0, pending_referrals: 0, total_earned_points: 0 });
  });
});
