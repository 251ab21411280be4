// Addresses to deliver to: USR-16, 17, 18, 19 and 20. As long as a person has any, exactly one bears the mark of the
// default.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { signUp } from '../lib/userstate.mjs';

let server;
let client;
before(async () => { server = await startServer(); client = api(server); });
after(() => server?.stop());

const HOME = { label: 'Home', recipient_name: 'John Doe', phone_number: '08123456789', address: 'Jl. Example No. 123' };
const list = async (person) => (await person.api.get('/address/list')).json;
const labels = async (person) => (await list(person)).map(({ label, is_default }) =>
  (is_default ? `*${label}` : label));
async function add(person, more = {}) {
  const reply = await person.api.post('/address', { body: { ...HOME, ...more } });
  assert.equal(reply.status, 201, reply.text);
  return reply.json.data;
}
const change = (person, id, more = {}) => person.api.put(`/address/${id}`, { body: { ...HOME, ...more } });

describe('adding', () => {
  test('answers with the address; the first one becomes the default, whatever was asked', async () => {
    const ada = await signUp(server);
    assert.deepEqual(await list(ada), []);
    const reply = await ada.api.post('/address', { body: { ...HOME, is_default: false } });
    assert.equal(reply.status, 201, reply.text);
    const { data } = reply.json;
    assert.deepEqual(reply.json, { status: true, message: 'Address created',
      data: { ...HOME, id: data.id, phone_number: '628123456789', is_default: true } });
    assert.equal(typeof data.id, 'number');
    assert.deepEqual(await list(ada), [data]);
  });

  test('the default comes first, then the oldest', async () => {
    const ada = await signUp(server);
    for (const label of ['one', 'two', 'three']) await add(ada, { label });
    assert.deepEqual(await labels(ada), ['*one', 'two', 'three']);
    await add(ada, { label: 'four', is_default: true });
    assert.deepEqual(await labels(ada), ['*four', 'one', 'two', 'three']);
  });

  test('needs all of it, within its bounds', async () => {
    const ada = await signUp(server);
    const send = (body) => ada.api.post('/address', { body });
    fails(await send({}), 400, 'Validation failed', ['label', 'recipient_name', 'phone_number', 'address']);
    for (const [field, most] of [['label', 50], ['recipient_name', 100], ['address', 500]]) {
      for (const bad of ['', ' ', 'x'.repeat(most + 1), 5]) {
        fails(await send({ ...HOME, [field]: bad }), 400, 'Validation failed', [field]);
      }
      assert.equal((await send({ ...HOME, [field]: 'x'.repeat(most) })).status, 201);
    }
    fails(await send({ ...HOME, is_default: 'yes' }), 400, 'Validation failed', ['is_default']);
    for (const phone_number of ['123', 'phone']) fails(await send({ ...HOME, phone_number }), 400, 'PhoneFormatErr');
    assert.equal((await list(ada)).length, 3);
  });

  test('many at the same moment: one default; a hundred at most', async () => {
    const ada = await signUp(server);
    const replies = await Promise.all(Array.from({ length: 104 }, (_, i) =>
      ada.api.post('/address', { body: { ...HOME, label: `n${i}`, is_default: i % 2 === 0 } })));
    const refused = replies.filter(({ status }) => status !== 201);
    assert.equal(refused.length, 4);
    for (const reply of refused) fails(reply, 409, 'Address limit reached');
    const all = await list(ada);
    assert.deepEqual([all.length, all.filter(({ is_default }) => is_default).length], [100, 1]);
  });
});

describe('changing', () => {
  test('replaces what is said; without is_default the mark stays where it is', async () => {
    const ada = await signUp(server);
    const home = await add(ada);
    const work = await add(ada, { label: 'Work' });
    const reply = await change(ada, home.id, { label: 'Old home', phone_number: '+6281200000000' });
    assert.equal(reply.status, 200, reply.text);
    assert.deepEqual(reply.json, { status: true, message: 'Address updated',
      data: { ...home, label: 'Old home', phone_number: '6281200000000' } });
    assert.deepEqual(await labels(ada), ['*Old home', 'Work']);
    assert.equal((await change(ada, work.id, { label: 'Work', is_default: true })).json.data.is_default, true);
    assert.deepEqual(await labels(ada), ['*Work', 'Old home']);
  });

  test('false hands the mark to the newest other; the only one keeps it', async () => {
    const ada = await signUp(server);
    const one = await add(ada, { label: 'one' });
    assert.equal((await change(ada, one.id, { label: 'one', is_default: false })).json.data.is_default, true);
    await add(ada, { label: 'two' });
    await add(ada, { label: 'three' });
    assert.equal((await change(ada, one.id, { label: 'one', is_default: false })).json.data.is_default, false);
    assert.deepEqual(await labels(ada), ['*three', 'one', 'two']);
    assert.equal((await change(ada, one.id, { label: 'one', is_default: false })).json.data.is_default, false);
    assert.deepEqual(await labels(ada), ['*three', 'one', 'two']);
  });
});

describe('deleting and choosing', () => {
  test('the newest one left becomes the default', async () => {
    const ada = await signUp(server);
    const [one, two, three] = [await add(ada, { label: 'one' }), await add(ada, { label: 'two' }), await add(ada,
      { label: 'three' })];
    const reply = await ada.api.delete(`/address/${one.id}`);
    assert.deepEqual([reply.status, reply.json], [200, { status: true, message: 'Address deleted' }]);
    assert.deepEqual(await labels(ada), ['*three', 'two']);
    await ada.api.delete(`/address/${two.id}`);
    await ada.api.delete(`/address/${three.id}`);
    assert.deepEqual(await list(ada), []);
    fails(await ada.api.delete(`/address/${three.id}`), 404, 'Address Not Found');
  });

  test('USR-20 gives the mark', async () => {
    const ada = await signUp(server);
    await add(ada, { label: 'one' });
    const two = await add(ada, { label: 'two' });
    const reply = await ada.api.post('/address/set-default', { body: { id: two.id } });
    assert.deepEqual([reply.status, reply.json], [200, { status: true, message: 'Default address updated',
      data: { ...two, is_default: true } }]);
    assert.deepEqual(await labels(ada), ['*two', 'one']);
    for (const id of [undefined, null, 'x', 1.5]) {
      fails(await ada.api.post('/address/set-default', { body: { id } }), 400, 'Validation failed', ['id']);
    }
    for (const id of [0, -1, 9007199254740991]) {
      fails(await ada.api.post('/address/set-default', { body: { id } }), 404, 'Address Not Found');
    }
  });

  test('whatever happens at the same moment, one has the mark', async () => {
    const ada = await signUp(server);
    const ids = [];
    for (let i = 0; i < 8; i++) ids.push((await add(ada, { label: `n${i}` })).id);
    await Promise.all(ids.flatMap((id, i) => [
      ada.api.post('/address/set-default', { body: { id } }),
      change(ada, id, { label: `m${i}`, is_default: i % 2 === 0 }),
      i % 3 ? add(ada, { is_default: true }) : ada.api.delete(`/address/${id}`),
    ]));
    assert.equal((await list(ada)).filter(({ is_default }) => is_default).length, 1);
  });
});

test('of somebody else there is nothing to see or to change, whatever the id', async () => {
  const [ada, ben] = [await signUp(server), await signUp(server)];
  const home = await add(ada);
  const calls = (id) => [
    change(ben, id), ben.api.delete(`/address/${id}`), ben.api.post('/address/set-default', { body: { id } }),
  ];
  for (const reply of await Promise.all(calls(home.id))) fails(reply, 404, 'Address Not Found');
  for (const id of ['0', 'x', '1.5', '-1', '99999999999999999999', '%00']) {
    const [changed, deleted] = await Promise.all([change(ben, id), ben.api.delete(`/address/${id}`)]);
    for (const reply of [changed, deleted]) assert.equal(reply.status, 404, reply.text);
  }
  assert.deepEqual(await list(ben), []);
  assert.deepEqual(await list(ada), [home]);
  assert.equal((await query(server.database, 'SELECT 1 FROM addresses')).length > 0, true);
  for (const [method, path] of [['GET', '/address/list'], ['POST', '/address'], ['PUT', `/address/${home.id}`],
    ['DELETE', `/address/${home.id}`], ['POST', '/address/set-default']]) {
    fails(await client.request(method, path, { body: { ...HOME, id: home.id } }), 401, 'Unauthorized');
  }
});
