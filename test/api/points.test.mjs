// Points as the contract has them: POINTS-01 (what I have), POINTS-09 (an administrator grants and
// deducts), the level that follows from what was ever earned, and its one event.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { audit } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const ADD = '/api/points/admin/add';
const MINE = '/api/points/my-points';
const BRONZE = { name: 'bronze', tier: 1, minPoints: 0 };
const SILVER = { name: 'silver', tier: 2, minPoints: 1000 };
const GOLD = { name: 'gold', tier: 3, minPoints: 2500 };
const PLATINUM = { name: 'platinum', tier: 4, minPoints: 5000 };
const UNKNOWN = '0123456789abcdef01234567';

let server;
let admin;
before(async () => {
  server = await startServer();
  admin = await person('Admin', 'admin');
});
after(async () => {
  await audit(server);
  await server.stop();
});

let count = 0;

/** By the operator's commands: { email, number, username, id, token, api }. */
async function person(name, role = 'user') {
  const email = `${name.toLowerCase()}.${++count}@example.com`;
  const options = ['--email', email, '--password', 'correct horse', '--name', name, '--role', role];
  const said = await server.command('user', 'add', ...options);
  const [, number, username] = /^id (\d+)\nusername (\S+)\n$/.exec(said);
  const token = (await server.command('token', '--email', email)).trim();
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  return { email, number, username, token, id: sub, api: api(server, { token }) };
}

const add = (who, amount, more = {}, options = {}) => admin.api.post(ADD, {
  body: { userId: who.id ?? who, amount, reason: 'a test', ...more }, ...options,
});

async function mine(who) {
  const reply = await who.api.get(MINE);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.data;
}

describe('POINTS-01, my points', () => {
  test('of a new person, field by field', async () => {
    const ada = await person('Ada');
    const reply = await ada.api.get(MINE);
    assert.equal(reply.status, 200, reply.text);
    const { referralCode } = reply.json.data;
    assert.match(referralCode, /^[A-Z0-9]{8}$/);
    assert.deepEqual(reply.json, {
      success: true,
      data: {
        balance: 0, lifetimePoints: 0, level: { ...BRONZE, perks: [] }, nextLevel: { ...SILVER, pointsToGo: 1000 },
        referralCode, referralsCount: 0,
      },
    });
  });

  for (const [points, level, next] of [
    [999, BRONZE, SILVER], [1000, SILVER, GOLD], [4999, GOLD, PLATINUM], [5000, PLATINUM, null],
  ]) {
    test(`with ${points} points the level is ${level.name}`, async () => {
      const ada = await person('Ada');
      assert.equal((await add(ada, points)).status, 200);
      const data = await mine(ada);
      assert.deepEqual([data.balance, data.lifetimePoints], [points, points]);
      assert.deepEqual(data.level, { ...level, perks: [] });
      assert.deepEqual(data.nextLevel, next && { ...next, pointsToGo: next.minPoints - points });
    });
  }

  test('counts pending and completed referrals, told by the change stream', async () => {
    const ada = await person('Ada');
    await execute(server.database, `
      INSERT INTO referrals (referrer_id, code_used, status)
      SELECT ${ada.number}, 'X', status FROM (VALUES ('pending'), ('completed')) AS v (status);
      SELECT tell(user_message(u)) FROM users u WHERE id = ${ada.number};`);
    await until(async () => (await mine(ada)).referralsCount === 2, 'both referrals');
  });

  test('is the same after a restart, from the tables', async () => {
    const ada = await person('Ada');
    await add(ada, 1280);
    const before = await mine(ada);
    await server.restart();
    assert.deepEqual(await mine(ada), before);
  });
});

describe('the door of the surface', () => {
  for (const path of [MINE, '/api/points', '/api/points/', '/api/points/no/such', '/api/points/levelz?x=1']) {
    test(`${path} without a token, or with a bad one, is 401`, async () => {
      fails(await api(server).get(path), 401, 'Unauthorized');
      fails(await api(server).get(path, { token: 'nonsense' }), 401, 'Unauthorized');
    });
  }

  test('an unknown path with a token is 404, by whatever method', async () => {
    for (const method of ['get', 'post', 'delete']) {
      fails(await admin.api[method]('/api/points/no/such', { body: { a: 1 } }), 404, 'Not Found');
    }
    fails(await admin.api.get('/api/points'), 404, 'Not Found');
  });

  test('other unknown paths need no token to be unknown', async () => {
    for (const path of ['/api/pointsx', '/api/nothing', '/points']) {
      fails(await api(server).get(path), 404, 'Not Found');
    }
  });
});

describe('POINTS-09, granting and deducting', () => {
  test('a grant, field by field', async () => {
    const ada = await person('Ada');
    const metadata = { ticket: 17, deep: { list: [1, 'é'] } };
    const reply = await add(ada, 50, { reason: '  for being Ada  ', metadata });
    assert.equal(reply.status, 200, reply.text);
    const { id, createdAt } = reply.json.data.transaction;
    assert.match(id, ID);
    assert.match(createdAt, TIME);
    assert.deepEqual(reply.json, {
      success: true,
      data: {
        transaction: {
          id, userId: ada.id, type: 'admin_grant', amount: 50, balanceAfter: 50, description: 'for being Ada',
          referenceType: null, referenceId: null, metadata, createdAt,
        },
        newBalance: 50,
      },
    });
    const rows = await query(server.database, `SELECT kind, memo, metadata, actor_user_id FROM transfer
      WHERE credit = (SELECT id FROM account WHERE owner_user_id = ${ada.number} AND kind = 'points')`);
    assert.deepEqual(rows, [{
      kind: 'points.admin_grant', memo: 'for being Ada', metadata, actor_user_id: Number(admin.number),
    }]);
  });

  test('a deduction takes from the balance and leaves the level', async () => {
    const ada = await person('Ada');
    await add(ada, 1000);
    const reply = await add(ada, -400);
    assert.equal(reply.status, 200, reply.text);
    const { transaction, newBalance } = reply.json.data;
    assert.equal(newBalance, 600);
    assert.deepEqual([transaction.type, transaction.amount, transaction.balanceAfter], ['admin_deduct', -400, 600]);
    assert.deepEqual(transaction.metadata, {});
    const data = await mine(ada);
    assert.deepEqual([data.balance, data.lifetimePoints, data.level.name], [600, 1000, 'silver']);
  });

  test('the person may be named by public id, number or username', async () => {
    const ada = await person('Ada');
    const names = [ada.id, ada.number, ada.username, ada.username.toUpperCase(), ` ${ada.number} `];
    for (const [n, who] of names.entries()) {
      const reply = await add(who, 1);
      assert.equal(reply.status, 200, `${who}: ${reply.text}`);
      assert.deepEqual([reply.json.data.transaction.userId, reply.json.data.newBalance], [ada.id, n + 1]);
    }
  });

  test('nobody of that name is 404', async () => {
    for (const who of [UNKNOWN, '999999', '0', '99999999999999999999', 'no.such.person', '-1', 'é']) {
      fails(await add(who, 1), 404, 'User not found');
    }
  });

  test('never below zero', async () => {
    const ada = await person('Ada');
    await add(ada, 10);
    fails(await add(ada, -11), 400, 'Balance would go below zero');
    assert.equal((await add(ada, -10)).json.data.newBalance, 0);
    fails(await add(ada, -1), 400, 'Balance would go below zero');
  });

  test('an administrator is asked for before the fields are looked at', async () => {
    const ada = await person('Ada');
    const system = await person('System', 'system');
    for (const { api: client } of [ada, system]) {
      fails(await client.post(ADD, { body: {} }), 403, 'Admin access required');
    }
    fails(await api(server).post(ADD, { body: {} }), 401, 'Unauthorized');
    fails(await api(server).post(ADD, { body: {}, basic: 'demo:demo' }), 401, 'Unauthorized');
  });

  const good = { userId: UNKNOWN, amount: 1, reason: 'x' };
  for (const [what, change, fields] of [
    ['nothing at all', { userId: undefined, amount: undefined, reason: undefined }, ['userId', 'amount', 'reason']],
    ['amount 0', { amount: 0 }, ['amount']],
    ['half a point', { amount: 0.5 }, ['amount']],
    ['an amount in quotes', { amount: '5' }, ['amount']],
    ['an amount beyond 2^53', { amount: 9007199254740993n }, ['amount']],
    ['a userId that is a number', { userId: 5 }, ['userId']],
    ['an empty userId', { userId: ' ' }, ['userId']],
    ['a blank reason', { reason: '   ' }, ['reason']],
    ['a reason of 501 characters', { reason: 'é'.repeat(501) }, ['reason']],
    ['metadata that is a list', { metadata: [] }, ['metadata']],
    ['metadata of more than 4 KiB', { metadata: { a: 'x'.repeat(4090) } }, ['metadata']],
    ['everything wrong at once', { userId: 1, amount: 'x', reason: '', metadata: 3 },
      ['userId', 'amount', 'reason', 'metadata']],
  ]) {
    test(`${what} is 400`, async () => {
      const marked = (key, value) => (typeof value === 'bigint' ? `#${value}#` : value);
      const body = JSON.stringify({ ...good, ...change }, marked);
      fails(await admin.api.post(ADD, { body: body.replace(/"#(\d+)#"/, '$1') }), 400, undefined, fields);
    });
  }

  test('a reason of 500 characters and metadata of 4 KiB are fine', async () => {
    const ada = await person('Ada');
    const metadata = { a: 'x'.repeat(4096 - 8) };
    assert.equal((await add(ada, 1, { reason: 'é'.repeat(500), metadata })).status, 200);
  });

  test('metadata that no column can hold is refused, and nothing else with it', async () => {
    const ada = await person('Ada');
    const body = `{"userId":"${ada.id}","amount":1,"reason":"x","metadata":{"n":1e999999}}`;
    const [bad, fine] = await Promise.all([admin.api.post(ADD, { body }), add(ada, 2)]);
    assert.equal(bad.status, 400, bad.text);
    assert.equal(fine.status, 200, fine.text);
    assert.equal((await mine(ada)).balance, 2);
  });
});

describe('a repeat by Idempotency-Key', () => {
  test('has no effect and is answered as the first time', async () => {
    const ada = await person('Ada');
    const headers = { 'idempotency-key': randomUUID() };
    const first = await add(ada, 70, { metadata: { a: 1 } }, { headers });
    await add(ada, 5);
    const second = await add(ada, 70, { metadata: { a: 1 } }, { headers });
    assert.equal(second.status, 200, second.text);
    assert.deepEqual(second.json, first.json);
    assert.equal(first.headers['idempotent-replayed'], undefined);
    assert.equal(second.headers['idempotent-replayed'], 'true');
    assert.equal((await mine(ada)).balance, 75);
  });

  test('of a deduction that has emptied the account is answered, too', async () => {
    const ada = await person('Ada');
    const headers = { 'idempotency-key': randomUUID() };
    await add(ada, 5);
    const first = await add(ada, -5, {}, { headers });
    assert.deepEqual((await add(ada, -5, {}, { headers })).json, first.json);
  });

  test('with other data is 409', async () => {
    const ada = await person('Ada');
    const bob = await person('Bob');
    const headers = { 'idempotency-key': randomUUID() };
    await add(ada, 5, {}, { headers });
    for (const [who, amount, more] of [
      [bob, 5], [ada, 6], [ada, 5, { reason: 'another' }], [ada, 5, { metadata: { a: 1 } }],
    ]) {
      fails(await add(who, amount, more, { headers }), 409);
    }
    assert.equal((await mine(ada)).balance, 5);
  });

  test('by another administrator is another request', async () => {
    const ada = await person('Ada');
    const second = await person('Second', 'admin');
    const headers = { 'idempotency-key': 'the same' };
    await add(ada, 5, {}, { headers });
    assert.equal((await add(ada, 5, {}, { headers, token: second.token })).json.data.newBalance, 10);
  });

  test('a key has 1 to 128 characters', async () => {
    const ada = await person('Ada');
    const withKey = (key) => add(ada, 1, {}, { headers: { 'idempotency-key': key } });
    for (const key of ['', 'x'.repeat(129)]) fails(await withKey(key), 400, undefined, ['Idempotency-Key']);
    assert.equal((await withKey('x'.repeat(128))).status, 200);
  });

  test('of 30 at once one is posted', async () => {
    const ada = await person('Ada');
    const headers = { 'idempotency-key': randomUUID() };
    const replies = await Promise.all(Array.from({ length: 30 }, () => add(ada, 3, {}, { headers })));
    for (const reply of replies) assert.deepEqual(reply.json, replies[0].json, reply.text);
    assert.equal(replies.filter((reply) => !reply.headers['idempotent-replayed']).length, 1);
    assert.equal((await mine(ada)).balance, 3);
  });
});

describe('the level', () => {
  const levelUps = (who) => query(server.database,
    `SELECT seq, type, data FROM inbox WHERE user_id = ${who.number} ORDER BY seq`);

  test('goes up with one event, behind the one of the points', async () => {
    const ada = await person('Ada');
    const ws = await socket(server, { token: ada.token });
    await ws.next('hello');
    await add(ada, 999);
    const { data } = (await add(ada, 31)).json;
    const event = await ws.next('level-up');
    assert.deepEqual(ws.frames.filter((frame) => frame.seq).map((frame) => [frame.type, frame.seq]),
      [['points-updated', 1], ['points-updated', 2], ['level-up', 1]]);
    assert.match(event.stream, ID);
    assert.match(event.at, TIME);
    assert.equal(typeof event.cursor, 'string');
    assert.deepEqual(event.data, {
      userId: ada.id, username: ada.username, previousLevel: BRONZE, level: { ...SILVER, perks: [] },
      lifetimePoints: 1030, transactionId: data.transaction.id,
    });
    await ws.close();
  });

  test('over several thresholds at once is one event for the highest', async () => {
    const ada = await person('Ada');
    await add(ada, 2600);
    const events = await levelUps(ada);
    assert.equal(events.length, 1);
    assert.deepEqual([events[0].data.previousLevel, events[0].data.level.name], [BRONZE, 'gold']);
  });

  test('is not lost and not won again by deducting and granting', async () => {
    const ada = await person('Ada');
    await add(ada, 1000);
    await add(ada, -1000);
    await add(ada, 1000);
    assert.equal((await levelUps(ada)).length, 1);
    assert.equal((await mine(ada)).lifetimePoints, 2000);
  });

  test('is crossed once by thirty grants at the same moment', async () => {
    const ada = await person('Ada');
    await add(ada, 900);
    const replies = await Promise.all(Array.from({ length: 30 }, () => add(ada, 7)));
    assert.deepEqual(replies.map((reply) => reply.status), Array(30).fill(200));
    const events = await levelUps(ada);
    assert.deepEqual(events.map((event) => [event.seq, event.type, event.data.level.name]),
      [[1, 'level-up', 'silver']]);
    const crossing = replies.find((reply) => reply.json.data.transaction.id === events[0].data.transactionId);
    assert.equal(crossing.json.data.newBalance, events[0].data.lifetimePoints);
    assert.ok(events[0].data.lifetimePoints >= 1000 && events[0].data.lifetimePoints < 1007);
    assert.equal((await mine(ada)).lifetimePoints, 1110);
  });

  test('is crossed once by grants at two servers at the same moment', async () => {
    const other = await startServer({ database: server.database });
    const ada = await person('Ada');
    await until(async () => (await api(other, { token: ada.token }).get(MINE)).status === 200, 'the other to know her');
    const sides = [admin.api, api(other, { token: admin.token })];
    const body = { userId: ada.id, amount: 70, reason: 'a test' };
    const replies = await Promise.all(Array.from({ length: 40 }, (_, n) => sides[n % 2].post(ADD, { body })));
    assert.deepEqual(replies.map((reply) => reply.status), Array(40).fill(200));
    const events = await levelUps(ada);
    assert.deepEqual(events.map((event) => [event.seq, event.data.level.name]), [[1, 'silver'], [2, 'gold']]);
    assert.deepEqual(events.map((event) => event.data.lifetimePoints), [1050, 2520]);
    await other.stop();
  });

  test('goes up three times in a burst, numbered without gap', async () => {
    const ada = await person('Ada');
    await Promise.all(Array.from({ length: 60 }, () => add(ada, 100)));
    const events = await levelUps(ada);
    assert.deepEqual(events.map((event) => [event.seq, event.data.level.name]),
      [[1, 'silver'], [2, 'gold'], [3, 'platinum']]);
  });

  test('a missed event comes with the cursor', async () => {
    const ada = await person('Ada');
    const ws = await socket(server, { token: ada.token });
    const { cursor } = await ws.next('hello');
    await ws.close();
    await add(ada, 1500);
    const again = await socket(server, { token: ada.token, cursor });
    assert.equal((await again.next('hello')).resumed, 2);
    assert.deepEqual(again.frames.map((frame) => frame.type).sort(), ['hello', 'level-up', 'points-updated']);
    await again.close();
  });
});
