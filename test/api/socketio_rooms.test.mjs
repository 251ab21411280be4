// The points and userstate systems' events over Socket.IO, as their front ends know them: who gets into which room,
// every event field by field, and nothing to anybody else.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { settledCustomer } from '../lib/listen.mjs';
import { shop } from '../lib/members.mjs';
import { customer, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { tellPayment } from '../lib/payments.mjs';
import { execute } from '../lib/pg.mjs';
import { leaveAll, Patron, patron, WAYS } from '../lib/patron.mjs';
import { grant } from '../lib/points.mjs';
import { signUp, verify } from '../lib/referrals.mjs';
import { startServer } from '../lib/server.mjs';
import { ID, TIME } from '../lib/shapes.mjs';
import { tokenOf } from '../lib/tokens.mjs';
import { signUp as newcomer } from '../lib/userstate.mjs';
import { never, until } from '../lib/wait.mjs';

const DENIED = { status: false, message: 'Unauthorized' };
const FINE = { status: true };

let server;
let open;
let system;
let admin;
before(async () => {
  [server, open] = await Promise.all([startServer(), startServer({ env: { TALLY_OPEN: '1' } })]);
  system = await systemUser(server);
  const options = ['--email', 'admin@example.com', '--password', 'correct horse', '--name', 'Admin', '--role', 'admin'];
  await server.command('user', 'add', ...options);
  const token = await tokenOf(server, { email: 'admin@example.com' });
  admin = { token, api: api(server, { token }) };
});
after(async () => {
  leaveAll();
  await Promise.all([server.stop(), open.stop()]);
});

/** All that was said before has arrived: an answer comes behind it. */
const settled = (one) => one.ask('join', 'nothing');

const settledPair = () => Promise.all(['Ada', 'Bob'].map(
  (name) => settledCustomer(server, system, { name, amount: 100 }),
));

describe('the personal room', () => {
  for (const [way, transports] of Object.entries(WAYS)) {
    test(`balance-updated, by ${way}: the room of whoever the account belongs to, and no other`, async () => {
      const [ada, bob] = await settledPair();
      const all = [ada, bob, null].map((who) => patron(server, who, { transports }));
      const [hers, his, nobodys] = await Promise.all(all);
      const { json } = await transfer(ada, ada.account, bob.account, 12.5);
      const [[mine], [theirs]] = await Promise.all([hers.heard('balance-updated'), his.heard('balance-updated')]);
      const transactionId = json.transaction._id;
      const common = { kind: 'bank', currency: 'USD', transactionId, reason: 'bank.transfer' };
      assert.deepEqual(mine, { account: ada.account._id, delta: -12.5, balance: 87.5, ...common });
      assert.deepEqual(theirs, { account: bob.account._id, delta: 12.5, balance: 112.5, ...common });
      await settled(nobodys);
      for (const one of [hers, his]) {
        assert.equal(one.events.length, 1);
        assert.equal(typeof one.events[0].args[1], 'string', 'the offset is the last argument');
        assert.equal(one.events[0].args.length, 2);
      }
      assert.deepEqual(nobodys.events, []);
      await Promise.all([hers, his, nobodys].map((one) => one.leave()));
    });
  }

  test('level-up, once, with the highest level reached', async () => {
    const ada = await register(server);
    const one = await patron(server, ada);
    await grant(admin, ada, 2600);
    const [event] = await one.heard('level-up');
    assert.match(event.transactionId, ID);
    assert.match(event.timestamp, TIME);
    assert.deepEqual(event, {
      userId: ada.id, previousLevel: { name: 'bronze', tier: 1, minPoints: 0 },
      level: { name: 'gold', tier: 3, minPoints: 2500, perks: [] },
      lifetimePoints: 2600, transactionId: event.transactionId, timestamp: event.timestamp,
    });
    await settled(one);
    assert.deepEqual(one.events.map(({ name }) => name), ['level-up'], 'points have no event of their own here');
    await one.leave();
  });

  test('referral-reward, to the referrer', async () => {
    const ada = await signUp(server, { name: 'Fay Friend' });
    const one = await patron(server, ada);
    const bob = await signUp(server, { name: 'Jane Doe', code: ada.code });
    const his = await patron(server, bob);
    await verify(server, bob);
    const [event] = await one.heard('referral-reward');
    assert.match(event.timestamp, TIME);
    assert.deepEqual(event, {
      referrerId: ada.id, referredUserId: bob.id, referredName: 'Jane Doe', points: 50, balance: 50,
      timestamp: event.timestamp,
    });
    await settled(his);
    assert.deepEqual(his.events, []);
    await Promise.all([one.leave(), his.leave()]);
  });

  test('join is answered for one\'s own room, and opens no other', async () => {
    const [ada, bob] = await settledPair();
    const one = await patron(server, ada);
    const stranger = await patron(server, null);
    for (const room of [{ userId: ada.id }, `user-${ada.id}`]) {
      assert.deepEqual(await one.ask('join', room), FINE);
      assert.deepEqual(await stranger.ask('join', room), DENIED);
    }
    const bad = [{ userId: bob.id }, `user-${bob.id}`, {}, null, 7, [], { userId: { $ne: 1 } }, `user-user-${ada.id}`];
    for (const room of bad) assert.deepEqual(await one.ask('join', room), DENIED, JSON.stringify(room));
    assert.deepEqual(await one.ask('join'), DENIED);
    await fund(system, bob.account, 5);
    await settled(one);
    await settled(stranger);
    assert.deepEqual([...one.events, ...stranger.events], []);
    await Promise.all([one.leave(), stranger.leave()]);
  });

  test('every socket of a user hears, each once', async () => {
    const ada = await customer(server, system, { amount: 0 });
    const all = await Promise.all(Array.from({ length: 5 }, (_, i) => patron(server, ada, {
      transports: Object.values(WAYS)[i % 3],
    })));
    for (const amount of [1, 2, 3]) await fund(system, ada.account, amount);
    for (const one of all) {
      await one.heard('balance-updated', 3);
      assert.deepEqual(one.said('balance-updated').map(({ delta }) => delta), [1, 2, 3]);
      await one.leave();
    }
  });
});

describe('who connects', () => {
  test('a token in auth, or in the handshake', async () => {
    const ada = await customer(server, system, { amount: 0 });
    const withHeader = { headers: { authorization: `Bearer ${ada.token}` } };
    const all = await Promise.all([patron(server, ada), patron(server, null, withHeader)]);
    await fund(system, ada.account, 1);
    for (const one of all) {
      await one.heard('balance-updated');
      await one.leave();
    }
  });

  for (const namespace of ['/', '/rewards']) {
    test(`a bad token or key is refused in ${namespace}`, async () => {
      const ada = await register(server);
      const forged = `${ada.token.slice(0, -3)}AAA`;
      const bad = [
        { auth: { token: 'nonsense' } }, { auth: { token: '' } }, { auth: { token: forged } },
        { auth: { token: 7 } },
        { auth: { token: { a: 1 } } }, { auth: { key: 'nobody:nothing' } }, { auth: { key: 'no colon' } },
        { headers: { authorization: `Bearer ${forged}` } },
        { headers: { authorization: 'Basic bm9ib2R5Om5vdGhpbmc=' } },
        { headers: { authorization: 'Digest x' } },
      ];
      for (const options of bad) {
        const one = new Patron(server, { namespace, ...options });
        assert.equal(await one.refused(), 'Unauthorized', JSON.stringify(options));
        assert.deepEqual(one.connects, []);
        await one.leave();
      }
    });
  }

  test('there are two namespaces', async () => {
    for (const namespace of ['/admin', '/rewards/', '/user-1']) {
      const one = new Patron(server, { namespace });
      assert.equal(await one.refused(), 'Invalid namespace', namespace);
      await one.leave();
    }
  });

  test('a token that is revoked ends the socket, and only that', async () => {
    const ada = await customer(server, system, { amount: 0 });
    const other = { ...ada, token: await tokenOf(server, ada) };
    const [one, two] = await Promise.all([patron(server, ada), patron(server, other)]);
    const hers = await patron(server, ada, { namespace: '/rewards' });
    assert.equal((await ada.api.post('/api/auth/logout')).status, 200);
    await until(() => one.ends.length && hers.ends.length, 'the sockets to be ended');
    assert.deepEqual([one.ends, hers.ends, two.ends], [['io server disconnect'], ['io server disconnect'], []]);
    await fund(system, ada.account, 1);
    await two.heard('balance-updated');
    assert.deepEqual(one.events, []);
    one.socket.connect();
    assert.equal(await one.refused(), 'Unauthorized');
    await Promise.all([one, two, hers].map((patronOf) => patronOf.leave()));
  });

  test('a token that expires ends the socket', async () => {
    const ada = await register(server);
    const one = await patron(server, { token: await tokenOf(server, ada, 2) });
    await until(() => one.ends.length, 'the socket to be ended', { timeout: 5000 });
    assert.deepEqual(one.ends, ['io server disconnect']);
    await one.leave();
  });

  /** By each way and in each namespace. */
  const everywhere = (options) => Object.values(WAYS).flatMap((transports) => ['/', '/rewards'].map(
    (namespace) => new Patron(server, { transports, namespace, ...options })));

  for (const [who, arrange] of Object.entries({
    'a user who deactivates his account': async () => {
      const ada = await newcomer(server);
      const leave = () => ada.api.post('/deactivate', { body: { reason: 'no more use for it' } });
      return { options: { auth: { token: ada.token } }, end: async () => assert.equal((await leave()).status, 200) };
    },
    'a user who is disabled by somebody else': async () => {
      const ada = await register(server);
      const mine = `lower(email) = lower('${ada.email}')`;
      return { options: { headers: { authorization: `Bearer ${ada.token}` } },
        end: () => execute(server.database, `BEGIN; UPDATE users SET status = 'disabled' WHERE ${mine};
          SELECT tell(user_message(users)) FROM users WHERE ${mine}; COMMIT;`) };
    },
    'a key that is revoked': async () => {
      const desk = await shop(server, 'userstate,rewards');
      return { options: { auth: { key: desk.basic } },
        end: () => server.command('apikey', 'revoke', '--holder', desk.basic.split(':')[0]) };
    },
  })) {
    test(`${who} ends every socket of its, and opens none`, async () => {
      const { options, end } = await arrange();
      const other = await patron(server, await register(server));
      const inside = await Promise.all(everywhere(options).map((one) => one.connected()));
      await end();
      await until(() => inside.every((one) => one.ends.length), 'the sockets to be ended');
      for (const one of inside) assert.deepEqual(one.ends, ['io server disconnect']);
      for (const one of everywhere(options)) {
        assert.equal(await one.refused(), 'Unauthorized');
        assert.deepEqual(one.connects, []);
        one.socket.disconnect();
      }
      assert.deepEqual(other.ends, []);
      await Promise.all([...inside, other].map((one) => one.leave()));
    });
  }

  test('events of no meaning are not answered and do no harm', async () => {
    const one = await patron(server, await register(server));
    one.socket.emit('subscribe:payment');
    one.socket.emit('level-up', { userId: 1 });
    one.socket.emit('no-such-event', 1, 'two', [3]);
    for (const what of [{}, { username: '' }, { username: 'x'.repeat(257) }, { username: 7 }, 5, null]) {
      assert.deepEqual(await one.ask('subscribe:payment', what), { status: false, message: 'Invalid username' });
    }
    assert.deepEqual(one.ends, []);
    await one.leave();
  });
});

describe('payments of a username', () => {
  const payer = (where) => signUp(where, { name: 'Eve Payer' });
  const events = (one) => one.said('payment:status:update');

  test('field by field, PAID and not', async () => {
    const ada = await payer(server);
    const one = await patron(server, ada);
    const username = ada.email.split('@')[0];
    assert.deepEqual(await one.ask('subscribe:payment', { username }), FINE);
    assert.deepEqual(await one.ask('subscribe:payment', { username }), FINE, 'twice is harmless');
    await tellPayment(server, ada, { invoiceId: 'inv_1', status: 'EXPIRED', amount: 7.5 });
    const paidAt = '2024-01-01T00:00:00.000Z';
    await tellPayment(server, ada, { invoiceId: 'inv_2', status: 'PAID', amount: 100000, paidAt });
    await one.heard('payment:status:update', 2);
    assert.deepEqual(events(one), [
      { invoice_id: 'inv_1', status: 'EXPIRED', amount: 7.5, paid_at: null },
      { invoice_id: 'inv_2', status: 'PAID', amount: 100000, paid_at: '2024-01-01T00:00:00.000Z' },
    ]);
    assert.deepEqual(await one.ask('unsubscribe:payment', { username }), FINE);
    await tellPayment(server, ada, { invoiceId: 'inv_3', status: 'FAILED', amount: 1 });
    await settled(one);
    await never(() => events(one).length > 2, 'an event after unsubscribing');
    await one.leave();
  });

  test('who may: one\'s own, or a key with the scope', async () => {
    const [ada, bob] = [await payer(server), await signUp(server, { name: 'Bob Ray' })];
    const name = ada.email.split('@')[0];
    const [userstate, rewards] = [await shop(server, 'userstate'), await shop(server, 'rewards')];
    const witness = await patron(server, ada);
    await witness.ask('subscribe:payment', { username: name });
    const matrix = [
      [{ auth: { token: ada.token } }, true], [{ auth: { token: bob.token } }, false], [{}, false],
      [{ auth: { key: userstate.basic } }, true], [{ headers: userstate.headers }, true],
      [{ auth: { key: rewards.basic } }, false], [{ auth: { token: admin.token } }, false],
    ];
    for (const [i, [options, may]] of matrix.entries()) {
      const one = await new Patron(server, options).connected();
      assert.deepEqual(await one.ask('subscribe:payment', { username: name.toUpperCase() }), may ? FINE : DENIED,
        JSON.stringify(options));
      await tellPayment(server, ada, { invoiceId: 'inv', status: 'CANCELLED', amount: 1 });
      await witness.heard('payment:status:update', i + 1);
      await settled(one);
      assert.equal(events(one).length, may ? 1 : 0);
      await one.leave();
    }
    await witness.leave();
  });

  test('with TALLY_OPEN a bare username is enough, as in the seed', async () => {
    const ada = await payer(open);
    const one = await new Patron(open).connected();
    assert.deepEqual(await one.ask('subscribe:payment', { username: ada.email.split('@')[0] }), FINE);
    assert.deepEqual(await one.ask('subscribe:payment', { username: 'nobody.at.all' }), FINE);
    await tellPayment(open, ada, { invoiceId: 'inv_9', status: 'PAID', amount: 5, paidAt: '2024-01-01T00:00:00.000Z' });
    await one.heard('payment:status:update');
    assert.equal(one.events.length, 1);
    assert.equal(one.events[0].args.length, 1, 'what cannot be resent has no offset');
    await one.leave();
  });

  test('a checkout that is paid, and one that is cancelled, by the provider of the sandbox', async () => {
    const ada = await payer(open);
    const checkout = async (amount) => {
      const reply = await ada.api.post('/payment-checkout', { body: { amount, description: 'Top-up' } });
      assert.equal(reply.status, 201, reply.text);
      return reply.json;
    };
    const [paid, cancelled] = [await checkout(100000), await checkout(7.5)];
    const [follower, hers] = [await new Patron(open).connected(), await patron(open, ada)];
    for (const one of [follower, hers]) {
      assert.deepEqual(await one.ask('subscribe:payment', { username: paid.username }), FINE);
    }
    const { json: { paid_at: paidAt } } = await ada.api.post(`/sandbox/invoices/${paid.invoice_id}/pay`);
    assert.match(paidAt, TIME);
    await ada.api.post('/invoice/cancel/xendit', { body: { invoice_id: cancelled.invoice_id } });
    for (const one of [follower, hers]) {
      assert.deepEqual(await one.heard('payment:status:update', 2), [
        { invoice_id: paid.invoice_id, status: 'PAID', amount: 100000, paid_at: paidAt },
        { invoice_id: cancelled.invoice_id, status: 'CANCELLED', amount: 7.5, paid_at: null },
      ]);
    }
    const [wallet] = await hers.heard('balance-updated');
    assert.deepEqual([wallet.kind, wallet.delta, wallet.balance], ['wallet', 100000, 100000]);
    assert.deepEqual(follower.said('balance-updated'), []);
    await Promise.all([follower.leave(), hers.leave()]);
  });

  test('and on /ws, once, whichever of its names one\'s own was subscribed by', async () => {
    const [ada, userstate] = [await payer(server), await shop(server, 'userstate')];
    const topics = [`payments:${ada.email.split('@')[0].toUpperCase()}`];
    const desk = await socket(server, { headers: userstate.headers });
    const hers = await socket(server, { token: ada.token });
    for (const ws of [hers, desk]) {
      ws.send({ type: 'subscribe', topics });
      assert.deepEqual((await ws.next('subscribed')).topics, topics);
    }
    await tellPayment(server, ada, { invoiceId: 'inv_4', status: 'EXPIRED', amount: 1 });
    for (const ws of [hers, desk]) {
      const { data, cursor } = await ws.next('payment-status');
      assert.deepEqual([data.invoiceId, typeof cursor], ['inv_4', ws === hers ? 'string' : 'undefined']);
      ws.send({ type: 'ping' });
      await ws.next('pong');
      assert.equal(ws.frames.filter(({ type }) => type === 'payment-status').length, 1);
      await ws.close();
    }
  });

  test('at most a hundred', async () => {
    const one = await new Patron(open).connected();
    for (let i = 0; i < 100; i++) assert.deepEqual(await one.ask('subscribe:payment', { username: `u${i}` }), FINE);
    assert.equal((await one.ask('subscribe:payment', { username: 'one.more' })).status, false);
    assert.deepEqual(await one.ask('subscribe:payment', { username: 'u7' }), FINE);
    await one.leave();
  });
});

test('a user with accounts in several hands hears of each', async () => {
  const ada = await customer(server, system, { amount: 0 });
  const second = await openAccount(ada);
  const one = await patron(server, ada);
  await fund(system, ada.account, 1);
  await fund(system, second, 2);
  await one.heard('balance-updated', 2);
  assert.deepEqual(one.said('balance-updated').map(({ account, balance }) => [account, balance]),
    [[ada.account._id, 1], [second._id, 2]]);
  await one.leave();
});
