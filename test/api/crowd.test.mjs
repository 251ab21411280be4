// Many sockets, and a slow one: two thousand people each hear their own event and nobody else's; a
// reader that does not read costs only itself.
import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { Follower } from '../lib/follower.mjs';
import { assertNumbers, comeBack, eventsOf, listen } from '../lib/listen.mjs';
import { audit, customer, fund, register, systemUser } from '../lib/people.mjs';
import { execute, freshDatabase, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const CROWD = 2000;
const SECRET = 'a secret of this test alone, long enough';

let server;
let system;
before(async () => {
  const database = await freshDatabase();
  await execute(database, `
    INSERT INTO users (username, first_name, email)
      SELECT 'crowd' || i, 'Crowd', 'crowd' || i || '@example.com' FROM generate_series(1, ${CROWD}) i;
    INSERT INTO account (owner_user_id, kind, asset)
      SELECT id, 'bank', 'MONEY' FROM users WHERE username LIKE 'crowd%';`);
  server = await startServer({ database, env: { TALLY_JWT_SECRET: SECRET } });
  system = await systemUser(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

/** A token as log-in signs it; two thousand log-ins would be two thousand password hashes. */
function signed(user) {
  const now = Math.floor(Date.now() / 1000);
  const jti = (Date.now() * 1000).toString(16).padStart(14, '0') + randomBytes(5).toString('hex');
  const names = { sub: 'x', user: 'x', agent: false, realm: 'customer' };
  const claims = { ...names, user_id: user, jti, iat: now, exp: now + 3600 };
  const encode = (part) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const [head, body] = [{ alg: 'HS256', typ: 'JWT' }, claims].map(encode);
  return `${head}.${body}.${createHmac('sha256', SECRET).update(`${head}.${body}`).digest('base64url')}`;
}

/** Does it for all of them, some at a time. */
async function forAll(items, act, parallel = 100) {
  const left = items.entries();
  const results = [];
  await Promise.all(Array.from({ length: parallel }, async () => {
    for (const [i, item] of left) results[i] = await act(item);
  }));
  return results;
}

async function metric(name) {
  const { text } = await api(server).get('/metrics');
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('two thousand people are connected, and each hears of his own money', { timeout: 120_000 }, async () => {
  const people = (await query(server.database, `SELECT id FROM users WHERE username LIKE 'crowd%' ORDER BY id`))
    .map(({ id }) => ({ token: signed(id) }));
  assert.equal(people.length, CROWD);
  await forAll(people, async (person) => {
    const { json } = await api(server, { token: person.token }).get('/api/accounts');
    person.account = json.accounts[0];
    person.ws = await listen(server, person, { timeout: 60_000 });
  });
  assert.equal(await metric('tally_ws_sessions'), CROWD);
  await forAll(people, (person) => fund(system, person.account, 7));
  await forAll(people, async (person) => {
    const event = await person.ws.next('balance-updated', { timeout: 60_000 });
    assert.deepEqual([event.stream, event.seq, event.data.balance], [person.account._id, 1, 7]);
  }, CROWD);
  for (const { ws } of people) assert.equal(ws.frames.length, 2);
  await forAll(people, ({ ws }) => ws.close());
  await until(async () => await metric('tally_ws_sessions') === 0, 'all sessions to be gone');
});

describe('a reader that does not read', () => {
  let admin;
  let ada;
  before(async () => {
    admin = await register(server, { name: 'Root' });
    await server.command('user', 'role', '--email', admin.email, '--role', 'admin');
    ada = await register(server, { name: 'Ada' });
  });

  const category = 'c'.repeat(3900);     // events of four kilobytes fill any kernel's buffers soon
  let granted = 0;
  async function grant() {
    const body = { userId: ada.id, amount: 1, reason: 'a test', metadata: { category } };
    const reply = await admin.api.post('/api/points/admin/add', { body });
    assert.equal(reply.status, 200, reply.text);
    granted += 1;
  }

  const patiently = { timeout: 120_000 };

  test('gets the newest state for many, while another socket of the same user gets each', patiently, async () => {
    const slow = await socket(server, { token: ada.token });
    await slow.next('hello');
    const quick = new Follower(ada);
    await quick.connect(server);
    slow.pause();
    for (let i = 0; i < 200 && !await metric('tally_ws_conflated_total'); i++) {
      await forAll(Array(100).fill(0), grant, 50);
    }
    assert.ok(await metric('tally_ws_conflated_total') > 0, 'frames were put together');
    const { stream } = quick.seen[0];
    await quick.reached(stream, granted);
    assertNumbers(quick.seen, stream, 1, granted);

    slow.resume();
    await slow.until((frame) => frame.type === 'points-updated' && frame.seq === granted, { timeout: 60_000 });
    const events = eventsOf(slow).filter((frame) => frame.stream === stream);
    assert.ok(events.length < granted);
    let [balance, seq] = [0, 0];
    for (const { conflated = 1, data, ...event } of events) {
      assert.equal(event.seq, seq + conflated);
      assert.equal(data.balance, balance + data.delta);
      [balance, seq] = [data.balance, event.seq];
    }
    assert.deepEqual([seq, balance], [granted, granted]);

    await grant();
    const { seq: newest, conflated } = await slow.until((frame) => frame.seq === granted && frame.stream === stream);
    assert.deepEqual([newest, conflated], [granted, undefined]);
    await Promise.all([slow.close(), quick.leave()]);
  });

  // Each of another invoice, so that none may stand for another.
  let invoices = 0;
  async function payments(n) {
    await execute(server.database, `SELECT tell_inbox(ARRAY[u.id], 'payment-status', ARRAY[jsonb_build_object(
      'invoiceId', 'inv_' || i, 'externalId', repeat('x', 3900), 'username', u.username, 'status', 'PAID',
      'previousStatus', 'PENDING', 'amount', 1, 'currency', 'USD', 'paidAt', NULL)])
      FROM users u, generate_series(${invoices + 1}, ${invoices + n}) i WHERE u.email = '${ada.email}'`);
    invoices += n;
  }

  /** Tells Ada so much that a socket of hers that does not read is given up; what waits stays within bounds. */
  async function until4408(others) {
    const before = await metric('tally_ws_slow_total');
    for (let i = 0; i < 200 && await metric('tally_ws_slow_total') === before; i++) {
      await payments(50);
      await others();
      const waiting = await metric('tally_ws_waiting_bytes');
      assert.ok(waiting <= 2 * 256 * 1024, `${waiting} bytes wait`);
    }
    assert.equal(await metric('tally_ws_slow_total'), before + 1, 'one socket was given up');
  }

  test('is closed with 4408 when the newest state is too much as well, and resumes; nobody else notices', patiently,
    async () => {
      const ben = new Follower(await customer(server, system, { amount: 0 }));
      const [slow, quick] = [new Follower(ada), new Follower(ada)];
      for (const follower of [slow, quick, ben]) await follower.connect(server);
      await payments(1);
      const [{ stream, seq: first }] = await until(() => slow.seen.length && slow.seen, 'the first event');
      slow.ws.pause();
      const { account } = ben.person;
      let paid = 0;
      await until4408(async () => {
        await fund(system, account, 1);
        await ben.reached(account._id, paid += 1);
        await quick.reached(stream, first + invoices - 1);
      });

      slow.ws.resume();
      assert.deepEqual(await slow.ws.closed(), { code: 4408, reason: 'too slow' });
      const had = slow.seen.length;
      assert.ok(had < invoices, `${had} of ${invoices}`);
      assert.equal((await slow.connect(server)).resumed, invoices - had);
      for (const follower of [slow, quick]) {
        follower.check();
        assertNumbers(follower.seen, stream, first, first + invoices - 1);
        assert.deepEqual(follower.resyncs, []);
      }
      assert.deepEqual([quick.ws.end, ben.ws.end], [null, null]);
      assertNumbers(ben.seen, account._id, 1, paid);
      for (const follower of [slow, quick, ben]) await follower.leave();
    });

  test('and never reads again is cut off; nothing waits for it any more', patiently, async () => {
    await until(async () => await metric('tally_ws_sessions') === 0, 'the sessions of before to be gone');
    const [slow, quick] = [new Follower(ada), new Follower(ada)];
    for (const follower of [slow, quick]) await follower.connect(server);
    slow.ws.pause();
    await payments(1);
    const [{ stream, seq }] = await until(() => quick.seen.length && quick.seen, 'the first event');
    const begun = invoices;
    await until4408(() => quick.reached(stream, seq + invoices - begun));
    await until(async () => await metric('tally_ws_sessions') === 1, 'the server to have cut it off');
    assert.equal(await metric('tally_ws_waiting_bytes'), 0);
    await payments(1);
    await quick.reached(stream, seq + invoices - begun);
    assert.equal(slow.ws.end, null, 'the client has not even looked');
    await slow.leave();
    await quick.leave();
  });

  test('may leave and resume: it gets every event that was put together for it', { timeout: 60_000 }, async () => {
    const follower = new Follower(ada);
    await follower.connect(server);
    await follower.leave();
    await forAll(Array(900).fill(0), grant, 50);
    // Three and a half megabytes: more than may wait for a socket, sent as fast as it reads.
    await (await comeBack(server, ada, follower.cursor, 900)).close();
    assert.equal((await follower.connect(server)).resumed, 900);
    assertNumbers(follower.seen, follower.seen[0].stream, granted - 899, granted);
    assert.ok(follower.seen.every((event) => event.conflated === undefined));
    await follower.leave();
  });
});
