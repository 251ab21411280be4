// POINTS-20: services report what their customers have earned; with a reference once, however often and by how many.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { agentFor, api } from '../lib/client.mjs';
import { audit } from '../lib/people.mjs';
import { query } from '../lib/pg.mjs';
import { keyFor, pointsPerson, told } from '../lib/points.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const EARN = '/internal/points/earn';

let server;
let shop;
let reviews;      // another service, with another key
before(async () => {
  server = await startServer();
  shop = await keyFor(server);
  reviews = await keyFor(server, 'points,rewards');
});
after(async () => {
  await audit(server);
  await server.stop();
});

let count = 0;
const reference = () => ({ referenceType: 'order', referenceId: `o-${++count}` });
const earn = (service, who, amount, more = {}, options = {}) =>
  service.post(EARN, { body: { userId: who.id, type: 'purchase', amount, ...more }, ...options });
const balanceOf = async (person) => (await told(person, 'my-points')).balance;

describe('what a service reports', () => {
  test('is minted, field by field', async () => {
    const ada = await pointsPerson(server);
    for (const [n, type] of ['earn', 'referral', 'purchase', 'review'].entries()) {
      const more = { type, description: ' for é ', ...reference() };
      const reply = await earn(shop, ada, 10, more);
      assert.equal(reply.status, 200, reply.text);
      const { id, createdAt } = reply.json.data.transaction;
      assert.match(id, ID);
      assert.match(createdAt, TIME);
      assert.deepEqual(reply.json, {
        success: true,
        data: {
          transaction: {
            id, userId: ada.id, type, amount: 10, balanceAfter: 10 * (n + 1), description: 'for é',
            referenceType: 'order', referenceId: more.referenceId, metadata: {}, createdAt,
          },
          newBalance: 10 * (n + 1),
        },
      });
    }
    assert.equal((await told(ada, 'my-points')).lifetimePoints, 40);
  });

  test('may name the person by username, and need not describe or refer to anything', async () => {
    const ada = await pointsPerson(server);
    for (const body of [
      { username: ada.username }, { username: ada.username.toUpperCase(), userId: ada.id },
      { userId: ada.number, description: null, referenceType: null, referenceId: null },
    ]) {
      const reply = await shop.post(EARN, { body: { type: 'earn', amount: 1, ...body } });
      assert.equal(reply.status, 200, reply.text);
      const { description, referenceType, referenceId } = reply.json.data.transaction;
      assert.deepEqual([description, referenceType, referenceId], [null, null, null]);
    }
    assert.equal(await balanceOf(ada), 3);
  });

  test('about nobody is 404, and about two at once as well', async () => {
    const ada = await pointsPerson(server);
    const bob = await pointsPerson(server, 'Bob');
    for (const body of [
      { userId: '0123456789abcdef01234567' }, { username: 'no.such.person' },
      { userId: ada.id, username: bob.username },
    ]) {
      fails(await shop.post(EARN, { body: { type: 'earn', amount: 1, ...body } }), 404, 'User not found');
    }
    assert.deepEqual([await balanceOf(ada), await balanceOf(bob)], [0, 0]);
  });

  for (const [what, change, fields] of [
    ['nobody', { userId: undefined }, ['userId']],
    ['no type', { type: undefined }, ['type']],
    ['a type that is not a service\'s', { type: 'admin_grant' }, ['type']],
    ['0 points', { amount: 0 }, ['amount']],
    ['points taken back', { amount: -1 }, ['amount']],
    ['half a point', { amount: 0.5 }, ['amount']],
    ['points in quotes', { amount: '1' }, ['amount']],
    ['a description of 501 characters', { description: 'é'.repeat(501) }, ['description']],
    ['a reference that is a number', { referenceId: 17 }, ['referenceId']],
    ['references that are too long', { referenceType: 'x'.repeat(65), referenceId: 'x'.repeat(129) },
      ['referenceType', 'referenceId']],
  ]) {
    test(`${what} is 400`, async () => {
      const ada = await pointsPerson(server);
      const body = { userId: ada.id, type: 'earn', amount: 1, ...change };
      fails(await shop.post(EARN, { body }), 400, undefined, fields);
    });
  }

  test('needs a key of the scope', async () => {
    const ada = await pointsPerson(server);
    const body = { userId: ada.id, type: 'earn', amount: 1 };
    fails(await api(server).post(EARN, { body }), 401, 'Unauthorized');
    fails(await api(server).post(EARN, { body, basic: 'nobody:nothing' }), 401, 'Unauthorized');
    fails(await ada.api.post(EARN, { body }), 403);
    fails(await (await keyFor(server, 'userstate')).post(EARN, { body }), 403);
  });
});

describe('a reference', () => {
  test('is minted once: the same again is the first transaction', async () => {
    const ada = await pointsPerson(server);
    const order = reference();
    const first = await earn(shop, ada, 30, { ...order, description: 'the first' });
    await earn(shop, ada, 5, reference());
    for (const more of [{ description: 'the first' }, { description: 'another' }, {}]) {
      const again = await earn(shop, ada, 30, { ...order, ...more });
      assert.equal(again.status, 200, again.text);
      assert.deepEqual(again.json, first.json);
      assert.equal(again.headers['idempotent-replayed'], 'true');
    }
    const named = await earn(shop, { }, 30, { ...order, username: ada.username });
    assert.deepEqual(named.json, first.json);
    assert.equal(await balanceOf(ada), 35);
  });

  test('with another person or amount is 409', async () => {
    const ada = await pointsPerson(server);
    const bob = await pointsPerson(server, 'Bob');
    const order = reference();
    await earn(shop, ada, 30, order);
    fails(await earn(shop, ada, 31, order), 409, 'Reference was already used with different data');
    fails(await earn(shop, bob, 30, order), 409, 'Reference was already used with different data');
    assert.deepEqual([await balanceOf(ada), await balanceOf(bob)], [30, 0]);
  });

  test('of another type, another kind, another key is another one', async () => {
    const ada = await pointsPerson(server);
    const order = reference();
    for (const [service, more] of [
      [shop, {}], [shop, { type: 'review' }], [shop, { referenceType: 'receipt' }],
      [shop, { referenceType: undefined }], [reviews, {}],
    ]) {
      assert.equal((await earn(service, ada, 1, { ...order, ...more })).headers['idempotent-replayed'], undefined);
    }
    assert.equal(await balanceOf(ada), 5);
  });

  test('without an id is none', async () => {
    const ada = await pointsPerson(server);
    for (let n = 0; n < 3; n++) await earn(shop, ada, 1, { referenceType: 'order' });
    assert.equal(await balanceOf(ada), 3);
  });

  test('may be as long as the fields allow, in any language', async () => {
    const ada = await pointsPerson(server);
    const order = { referenceType: '鶴'.repeat(64), referenceId: '𝕏'.repeat(128) };
    const first = await earn(shop, ada, 1, order);
    assert.equal(first.status, 200, first.text);
    assert.deepEqual((await earn(shop, ada, 1, order)).json, first.json);
  });

  test('is used by thirty at once: one mints, all are told the same', async () => {
    const ada = await pointsPerson(server);
    const order = reference();
    const replies = await Promise.all(Array.from({ length: 30 }, () => earn(shop, ada, 9, order)));
    for (const reply of replies) assert.deepEqual(reply.json, replies[0].json, reply.text);
    assert.equal(replies.filter(({ headers }) => !headers['idempotent-replayed']).length, 1);
    assert.equal(await balanceOf(ada), 9);
  });

  test('is used by thirty at once under thirty keys: one mints all the same', async () => {
    const ada = await pointsPerson(server);
    const order = reference();
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) =>
      earn(shop, ada, 9, order, n ? { headers: { 'idempotency-key': randomUUID() } } : {})));
    for (const reply of replies) assert.deepEqual(reply.json, replies[0].json, reply.text);
    assert.equal(await balanceOf(ada), 9);
  });

  test('is used by thirty at once with different amounts: one wins, the others are conflicts', async () => {
    const ada = await pointsPerson(server);
    const order = reference();
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) => earn(shop, ada, n + 1, order)));
    const done = replies.filter(({ status }) => status === 200);
    assert.equal(done.length, 1);
    for (const reply of replies) if (reply.status !== 200) fails(reply, 409);
    assert.equal(await balanceOf(ada), done[0].json.data.newBalance);
  });

  test('is used by thirty at once at two processes', async () => {
    const two = await startServer({ workers: 2, database: server.database });
    const ada = await pointsPerson(server);
    const there = { ...ada, api: api(two, { token: ada.token }) };
    await until(async () => (await there.api.get('/api/points/my-points')).status === 200, 'both to know her');
    const agents = Array.from({ length: 30 }, () => agentFor(two.url, { maxSockets: 1 }));
    const order = reference();
    const elsewhere = { post: (path, options) => shop.post(new URL(path, two.url), options) };
    const replies = await Promise.all(agents.map((agent, n) =>
      earn(n % 2 ? elsewhere : shop, ada, 9, order, { agent })));
    for (const reply of replies) assert.deepEqual(reply.json, replies[0].json, reply.text);
    await until(async () => (await balanceOf(there)) === 9, 'nine points');
    for (const agent of agents) agent.destroy();
    await two.stop();
  });

  test('is used by thirty, the server is killed, and all use it again', async () => {
    const ada = await pointsPerson(server);
    const order = reference();
    const ask = () => earn(shop, ada, 9, order).catch(() => ({}));
    const asked = Array.from({ length: 30 }, ask);
    await Promise.race(asked);
    await server.restart({ kill: true });
    const first = await Promise.all(asked);
    const second = await Promise.all(Array.from({ length: 30 }, ask));
    for (const { status, json } of [...first, ...second]) {
      if (status) assert.deepEqual(json, second[0].json);
    }
    assert.equal(await balanceOf(ada), 9);
    const rows = await query(server.database, `SELECT count(*) AS n FROM point_references
      WHERE reference_id = '${order.referenceId}'`);
    assert.equal(rows[0].n, 1);
  });
});

describe('a repeat by Idempotency-Key', () => {
  test('has no effect, and other data are a conflict', async () => {
    const ada = await pointsPerson(server);
    const headers = { 'idempotency-key': randomUUID() };
    const first = await earn(shop, ada, 3, { description: 'once' }, { headers });
    const again = await earn(shop, ada, 3, { description: 'once' }, { headers });
    assert.deepEqual(again.json, first.json);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    const description = 'once';
    for (const [amount, more] of [[4, { description }], [3, {}], [3, { description, ...reference() }]]) {
      fails(await earn(shop, ada, amount, more, { headers }), 409);
    }
    assert.equal(await balanceOf(ada), 3);
  });
});

describe('the level', () => {
  const levelUps = (person) => query(server.database,
    `SELECT seq, type, data FROM inbox WHERE user_id = ${person.number} ORDER BY seq`);

  test('is crossed once by thirty reports at once', async () => {
    const ada = await pointsPerson(server);
    await Promise.all(Array.from({ length: 30 }, () => earn(shop, ada, 70, reference())));
    const events = await levelUps(ada);
    assert.deepEqual(events.map(({ seq, data }) => [seq, data.level.name, data.lifetimePoints]), [[1, 'silver', 1050]]);
    assert.equal((await told(ada, 'my-points')).level.name, 'silver');
  });

  test('is crossed once though the server is killed in between and everything is reported again', async () => {
    const ada = await pointsPerson(server);
    const orders = Array.from({ length: 30 }, reference);
    const ask = (order) => earn(shop, ada, 70, order).catch(() => ({}));
    const asked = orders.map(ask);
    await Promise.race(asked);
    await server.restart({ kill: true });
    await Promise.all(asked);
    for (const { status } of await Promise.all(orders.map(ask))) assert.equal(status, 200);
    assert.deepEqual((await levelUps(ada)).map(({ seq, data }) => [seq, data.level.name]), [[1, 'silver']]);
    assert.equal(await balanceOf(ada), 2100);
  });
});
