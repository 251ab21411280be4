// Connection state recovery for the stock client, untouched: after a cut, a restart, a kill, at another process, it
// says `recovered` and has every event, in order, once; and it does not say so when something could not be resent.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { settledCustomer } from '../lib/listen.mjs';
import { earn, member, redeem } from '../lib/members.mjs';
import { tellPayment } from '../lib/payments.mjs';
import { customer, fund, systemUser } from '../lib/people.mjs';
import { leaveAll, Patron, patron, WAYS } from '../lib/patron.mjs';
import { grant } from '../lib/points.mjs';
import { startServer } from '../lib/server.mjs';
import { tokenOf } from '../lib/tokens.mjs';
import { until } from '../lib/wait.mjs';

const FINE = { status: true };

let server;
let other;        // a second process on the same database
let system;
let admin;
let anybody;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  other = await startServer({ env: { TALLY_OPEN: '1' }, database: server.database });
  system = await systemUser(server);
  anybody = api(server);
  const options = ['--email', 'admin@example.com', '--password', 'correct horse', '--name', 'Admin', '--role', 'admin'];
  await server.command('user', 'add', ...options);
  admin = { api: api(server, { token: await tokenOf(server, { email: 'admin@example.com' }) }) };
});
after(async () => {
  leaveAll();
  await Promise.all([server.stop(), other.stop()]);
});

const ada = (options) => settledCustomer([server, other], system, { amount: 1000, ...options });
/** Of whom nothing was ever told, to whichever process. */
const newcomer = () => customer(server, system, { amount: 0 });
const deltas = (one) => one.said('balance-updated').map(({ delta }) => delta);
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const give = async (person, amounts) => { for (const amount of amounts) await fund(system, person.account, amount); };

describe('the personal room', () => {
  for (const [way, transports] of Object.entries(WAYS)) {
    test(`after a cut, by ${way}`, async () => {
      const person = await ada();
      const one = await patron(server, person, { transports });
      await give(person, [1, 2]);
      await one.heard('balance-updated', 2);
      await one.cut();
      await give(person, range(3, 60));
      assert.equal(await one.comeBack(), true);
      await give(person, [61]);
      await one.heard('balance-updated', 61);
      assert.deepEqual(deltas(one), range(1, 61));
      await one.leave();
    });
  }

  test('also when no event had come yet, and again and again', async () => {
    const person = await ada();
    const one = await patron(server, person);
    for (let round = 0; round < 5; round++) {
      await one.cut();
      await give(person, [round * 2 + 1, round * 2 + 2]);
      assert.equal(await one.comeBack(round % 2 ? server : other), true);
      await one.heard('balance-updated', round * 2 + 2);
    }
    assert.deepEqual(deltas(one), range(1, 10));
    await one.leave();
  });

  test('nothing missed is recovered, too', async () => {
    const one = await patron(server, await ada());
    await one.cut();
    assert.equal(await one.comeBack(), true);
    assert.deepEqual(one.events, []);
    await one.leave();
  });

  test('at another process, back and forth, also while that lags behind', async () => {
    const person = await ada();
    const one = await patron(server, person);
    for (let round = 1; round <= 10; round++) {
      await give(person, [round]);
      if (round % 3 === 0) await one.heard('balance-updated', round);
      await one.cut();
      assert.equal(await one.comeBack(round % 2 ? other : server), true);
    }
    await one.heard('balance-updated', 10);
    assert.deepEqual(deltas(one), range(1, 10));
    await one.leave();
  });

  test('a level comes again as it was', async () => {
    const person = await ada();
    const [one, witness] = [await patron(server, person), await patron(server, person)];
    await one.cut();
    await grant(admin, person, 1200);
    await witness.heard('level-up');
    assert.equal(await one.comeBack(), true);
    await one.heard('level-up');
    assert.deepEqual(one.said('level-up'), witness.said('level-up'));
    await Promise.all([one.leave(), witness.leave()]);
  });

  test('more than a thousand events: not recovered, but live', async () => {
    const person = await ada();
    const one = await patron(server, person);
    await one.cut();
    await Promise.all(Array.from({ length: 1001 }, () => fund(system, person.account, 1)));
    assert.equal(await one.comeBack(), false);
    assert.deepEqual(one.events, []);
    await fund(system, person.account, 7);
    await one.heard('balance-updated');
    assert.deepEqual(deltas(one), [7]);
    // From here on it is recovered again.
    await one.cut();
    await fund(system, person.account, 8);
    assert.equal(await one.comeBack(), true);
    await one.heard('balance-updated', 2);
    assert.deepEqual(deltas(one), [7, 8]);
    await one.leave();
  });

  test('a page that was loaded anew hands in the cursor it kept', async () => {
    const person = await ada();
    const one = await patron(server, person);
    await give(person, [1]);
    await one.heard('balance-updated');
    const cursor = one.events[0].args[1];
    await one.leave();
    await give(person, [2, 3]);
    const next = await patron(other, null, { auth: { token: person.token, cursor } });
    await next.heard('balance-updated', 2);
    assert.deepEqual(deltas(next), [2, 3]);
    assert.equal(next.connects[0].recovered, false);
    await next.cut();
    await give(person, [4]);
    assert.equal(await next.comeBack(), true);
    await next.heard('balance-updated', 3);
    assert.deepEqual(deltas(next), [2, 3, 4]);
    await next.leave();
  });

  test('a pid, an offset or a cursor of somebody else\'s, or none at all, opens nothing', async () => {
    const [person, bob] = [await ada(), await ada()];
    const one = await patron(server, bob);
    await give(bob, [1]);
    await one.heard('balance-updated');
    const [{ args: [, offset] }] = one.events;
    const pid = one.socket._pid;
    await give(bob, [2]);
    const strange = [
      { pid, offset }, { pid }, { cursor: offset }, { pid: 'x', offset: 'y' }, { pid: '', offset: '' },
      { pid: 7, offset: {} },
      { pid: `u${'0'.repeat(16)}`, offset: 'n' }, { pid: 'u'.repeat(5000) }, { cursor: 'n'.repeat(5000) },
      { cursor: [] },
    ];
    for (const more of strange) {
      const next = await patron(server, null, { auth: { token: person.token, ...more } });
      assert.deepEqual(await next.ask('join', { userId: person.id }), FINE, JSON.stringify(more));
      assert.deepEqual(next.events, []);
      assert.notEqual(next.socket._pid, pid);
      await next.leave();
    }
    await one.leave();
  });

  test('a revoked token does not recover', async () => {
    const person = await ada();
    const token = await tokenOf(server, person);
    const one = await patron(server, { token });
    await one.cut();
    await api(server, { token }).post('/api/auth/logout');
    one.socket.io.reconnection(true);
    one.socket.connect();
    assert.equal(await one.refused(), 'Unauthorized');
    assert.equal(one.connects.length, 1);
    await one.leave();
  });
});

describe('subscriptions come back with the client', () => {
  const username = (person) => person.email.split('@')[0];
  const invoices = (one) => one.said('payment:status:update').map(({ invoice_id: id }) => id);

  test('own payments', async () => {
    const person = await ada();
    const one = await patron(server, person);
    assert.deepEqual(await one.ask('subscribe:payment', { username: username(person) }), FINE);
    await one.cut();      // before any event
    await tellPayment(server, person, { invoiceId: 'a', status: 'PAID', amount: 1 });
    assert.equal(await one.comeBack(), true);
    await one.heard('payment:status:update');
    await tellPayment(server, person, { invoiceId: 'b', status: 'PAID', amount: 1 });
    await one.heard('payment:status:update', 2);
    assert.deepEqual(await one.ask('unsubscribe:payment', { username: username(person) }), FINE);
    await one.cut();
    await tellPayment(server, person, { invoiceId: 'c', status: 'PAID', amount: 1 });
    await give(person, [5]);
    assert.equal(await one.comeBack(other), true);
    await one.heard('balance-updated');
    assert.deepEqual(invoices(one), ['a', 'b']);
    await one.leave();
  });

  test('payments of somebody else cannot be resent: not recovered, until they are given up', async () => {
    const [person, bob] = [await ada(), await ada()];
    const one = await patron(server, person);
    assert.deepEqual(await one.ask('subscribe:payment', { username: username(bob) }), FINE);
    await give(person, [1]);
    await one.heard('balance-updated');
    assert.equal(one.of('balance-updated')[0].args.length, 1, 'no offset');
    await one.cut();
    assert.equal(await one.comeBack(), false);
    assert.deepEqual(await one.ask('subscribe:payment', { username: username(bob) }), FINE);
    assert.deepEqual(await one.ask('unsubscribe:payment', { username: username(bob) }), FINE);
    await one.cut();
    await give(person, [2]);
    assert.equal(await one.comeBack(), true);
    await one.heard('balance-updated', 2);
    await one.leave();
  });

  test('a single member of the rewards namespace; not two, not all', async () => {
    const one = await new Patron(server, { namespace: '/rewards' }).connected();
    const [ann, ben] = [await member(anybody, { points: 10 }), await member(anybody, { points: 10 })];
    await one.heard('pointsUpdated', 2);
    await one.cut();
    assert.equal(await one.comeBack(), false, 'all');
    assert.deepEqual(await one.ask('subscribe', { userId: ann }), FINE);
    await one.cut();
    const known = one.events.length;
    await earn(anybody, ann, 5);
    await earn(anybody, ben, 5);
    await earn(anybody, ann, 100);
    await redeem(anybody, ann, 100);
    assert.equal(await one.comeBack(other), true, 'one');
    await one.heard('rewardRedeemed');
    const told = one.events.slice(known)
      .map(({ name, args: [data] }) => [name, data.userId, data.points ?? data.remainingPoints]);
    assert.deepEqual(told, [['pointsUpdated', ann, 15], ['pointsUpdated', ann, 115], ['rewardRedeemed', ann, 15]]);
    assert.deepEqual(await one.ask('subscribe', { userId: ben }), FINE);
    await one.cut();
    assert.equal(await one.comeBack(), false, 'two');
    await one.leave();
  });

  test('who hears nothing of others has nothing to recover', async () => {
    const one = await new Patron(server).connected();
    await one.cut();
    assert.equal(await one.comeBack(), false);
    await one.leave();
  });
});

describe('the server goes away', () => {
  for (const [how, kill] of [['a restart', false], ['kill -9', true]]) {
    test(`${how}: clients come back by themselves and say recovered`, async () => {
      const own = await startServer({ database: server.database });
      const person = await newcomer();
      const all = await Promise.all(Object.values(WAYS).map((transports) => patron(own, person, { transports })));
      await give(person, [1]);
      for (const one of all) await one.heard('balance-updated');
      const down = own.restart({ kill });
      await give(person, range(2, 9));
      await down;
      for (const one of all) {
        await one.connected(2, { timeout: 30_000 });
        await one.heard('balance-updated', 9, { timeout: 20_000 });
        assert.deepEqual(one.connects, [{ recovered: false }, { recovered: true }]);
        assert.deepEqual(deltas(one), range(1, 9));
        await one.leave();
      }
      await own.stop();
    });
  }

  test('workers of one host: whichever answers', async () => {
    const own = await startServer({ database: server.database, workers: 2 });
    const person = await newcomer();
    const ways = Object.values(WAYS);
    const all = await Promise.all(range(0, 8).map((i) => patron(own, person, { transports: ways[i % 3] })));
    for (let round = 0; round < 4; round++) {
      for (const one of all) await one.cut();
      await give(person, [round * 2 + 1, round * 2 + 2]);
      const recovered = await Promise.all(all.map((one) => one.comeBack()));
      assert.ok(recovered.every(Boolean), `${recovered}`);
    }
    for (const one of all) {
      await one.heard('balance-updated', 8);
      assert.deepEqual(deltas(one), range(1, 8));
      await one.leave();
    }
    await own.stop();
  });
});

test('under load, cut at any moment: no gap, no double', { timeout: 120_000 }, async (t) => {
  const seed = Number(process.env.TALLY_TEST_SEED ?? randomInt(2 ** 31));
  t.diagnostic(`TALLY_TEST_SEED=${seed}`);
  let state = seed;
  const random = (n) => { state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff; return (state >> 8) % n; };
  const people = [await ada(), await ada()];
  const patrons = [];
  for (const person of people) {
    for (const transports of Object.values(WAYS)) {
      patrons.push({ person, one: await patron(server, person, { transports }) });
    }
  }
  const given = new Map(people.map((person) => [person, 0]));
  let running = true;
  const load = people.map(async (person) => {
    while (running) {
      given.set(person, given.get(person) + 1);
      await fund(system, person.account, given.get(person));
    }
  });
  for (let round = 0; round < 25; round++) {
    const { person, one } = patrons[random(patrons.length)];
    await one.cut();
    const missed = given.get(person) + random(30);
    await until(() => given.get(person) > missed, 'some events to be missed');
    assert.equal(await one.comeBack(random(2) ? server : other), true);
  }
  running = false;
  await Promise.all(load);
  for (const { person, one } of patrons) {
    await one.heard('balance-updated', given.get(person), { timeout: 20_000 });
    assert.deepEqual(deltas(one), range(1, given.get(person)));
    await one.leave();
  }
});

test('events that have no form here do not make a client fall behind', async () => {
  const person = await ada();
  const one = await patron(server, person);
  // Points are no event of Socket.IO's; 1100 grants are more than could be resent.
  for (let i = 0; i < 11; i++) {
    await Promise.all(Array.from({ length: 100 }, () => grant(admin, person, 1)));
  }
  await one.heard('tally:offset', 4);
  await one.cut();
  await give(person, [1]);
  assert.equal(await one.comeBack(), true);
  await one.heard('balance-updated');
  assert.deepEqual(deltas(one), [1]);
  await one.leave();
});
