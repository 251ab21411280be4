// The rewards system's events: the namespace /rewards of Socket.IO, and the plain WebSocket at the same address. Who
// hears what, field by field, with TALLY_OPEN=1 as in the seed and without.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { earn, member, redeem, shop } from '../lib/members.mjs';
import { register } from '../lib/people.mjs';
import { leaveAll, Patron } from '../lib/patron.mjs';
import { startServer } from '../lib/server.mjs';
import { ID, TIME } from '../lib/shapes.mjs';
import { tokenOf } from '../lib/tokens.mjs';
import { never, until } from '../lib/wait.mjs';

const FINE = { status: true };
const DENIED = { status: false, message: 'Unauthorized' };

let server;
let open;
let till;         // may do everything on the strict server
let anybody;
before(async () => {
  [server, open] = await Promise.all([startServer(), startServer({ env: { TALLY_OPEN: '1' } })]);
  till = await shop(server);
  anybody = api(open);
});
after(async () => {
  leaveAll();
  await Promise.all([server.stop(), open.stop()]);
});

const listener = (where, options) => new Patron(where, { namespace: '/rewards', ...options }).connected();

/** All that was said before has arrived: an answer comes behind it. */
const settled = (one) => one.ask('join', 'nothing');

/** Does it, and waits until one who hears everything has heard n more events of the name, then until all have. */
async function told(witness, name, n, act, all) {
  const before = witness.said(name).length;
  await act();
  await witness.heard(name, before + n);
  await Promise.all(all.map(settled));
}

async function administrator() {
  const email = `admin.${Math.random().toString(36).slice(2)}@example.com`;
  const options = ['--email', email, '--password', 'correct horse', '--name', 'Admin', '--role', 'admin'];
  await server.command('user', 'add', ...options);
  return { email, token: await tokenOf(server, { email }) };
}

test('the walk of the seed: a member earns and spends, and everybody hears', async () => {
  const one = await listener(open);
  const id = await member(anybody);
  await earn(anybody, id, 500, { category: 'shopping', amount: 100.5 });
  await redeem(anybody, id, 200);
  const [[earned], [redeemed]] = [await one.heard('pointsUpdated'), await one.heard('rewardRedeemed')];
  assert.match(earned.transactionId, ID);
  assert.match(earned.timestamp, TIME);
  assert.deepEqual(earned, {
    userId: id, points: 500, pointsAdded: 500, category: 'shopping', amount: 100.5,
    transactionId: earned.transactionId, timestamp: earned.timestamp,
  });
  assert.match(redeemed.redemptionId, ID);
  assert.deepEqual(redeemed, {
    userId: id, redemptionId: redeemed.redemptionId, rewardType: 'voucher', pointsRedeemed: 200, remainingPoints: 300,
    timestamp: redeemed.timestamp,
  });
  const forms = one.events.map(({ name, args }) => [name, args.length]);
  assert.deepEqual(forms, [['pointsUpdated', 1], ['rewardRedeemed', 1]]);
  await one.leave();
});

describe('one member only', () => {
  test('subscribe narrows, unsubscribe widens again', async () => {
    const [one, witness] = [await listener(open), await listener(open)];
    const [ann, ben, cat] = [await member(anybody), await member(anybody), await member(anybody)];
    const heard = () => one.said('pointsUpdated').map(({ userId }) => userId);
    const everybody = () => told(witness, 'pointsUpdated', 3, async () => {
      for (const id of [ann, ben, cat]) await earn(anybody, id, 1);
    }, [one]);
    assert.deepEqual(await one.ask('subscribe', { userId: ann }), FINE);
    assert.deepEqual(await one.ask('subscribe', { userId: ann }), FINE, 'twice is harmless');
    await everybody();
    assert.deepEqual(heard(), [ann]);
    assert.deepEqual(await one.ask('subscribe', { userId: ben }), FINE);
    await everybody();
    assert.deepEqual(heard().slice(1), [ann, ben]);
    assert.deepEqual(await one.ask('unsubscribe', { userId: ann }), FINE);
    await everybody();
    assert.deepEqual(heard().slice(3), [ben]);
    assert.deepEqual(await one.ask('unsubscribe', { userId: ben }), FINE);
    await everybody();
    assert.deepEqual(heard().slice(4), [ann, ben, cat]);
    assert.equal((await one.ask('subscribe', {})).status, false);
    assert.equal((await one.ask('subscribe')).status, false);
    await Promise.all([one.leave(), witness.leave()]);
  });

  test('a member who does not exist yet is heard from his first points on', async () => {
    const one = await listener(open);
    assert.deepEqual(await one.ask('subscribe', { userId: 'comes.later' }), FINE);
    await member(anybody, { id: 'comes.later' });
    await member(anybody, { points: 5 });
    await earn(anybody, 'comes.later', 7);
    await one.heard('pointsUpdated');
    assert.deepEqual(one.said('pointsUpdated').map(({ userId, points }) => [userId, points]), [['comes.later', 7]]);
    await one.leave();
  });
});

test('who may hear, by default: a key with the scope, an administrator', async () => {
  const id = await member(till);
  const [ada, admin] = [await register(server), await administrator()];
  const points = await shop(server, 'points');
  const witness = await listener(server, { auth: { key: till.basic } });
  const matrix = [
    [{ auth: { key: till.basic } }, true], [{ headers: till.headers }, true], [{ auth: { token: admin.token } }, true],
    [{ auth: { token: ada.token } }, false], [{ auth: { key: points.basic } }, false], [{}, false],
  ];
  for (const [options, may] of matrix) {
    const [all, only] = await Promise.all([listener(server, options), listener(server, options)]);
    const said = JSON.stringify(options);
    assert.deepEqual(await only.ask('subscribe', { userId: id }), may ? FINE : DENIED, said);
    await told(witness, 'pointsUpdated', 1, () => earn(till, id, 3), [all, only]);
    assert.deepEqual([all, only].map((one) => one.said('pointsUpdated').length), may ? [1, 1] : [0, 0], said);
    await Promise.all([all, only].map((one) => one.leave()));
  }
  await witness.leave();
});

describe('the plain WebSocket on /rewards', () => {
  const listen = (where, options) => socket(where, { path: '/rewards', ...options });

  test('a frame for each event', async () => {
    const ws = await listen(open);
    const id = await member(anybody);
    await earn(anybody, id, 500, { amount: 100 });
    await redeem(anybody, id, 200);
    const [first, second] = [await ws.until((frame) => frame.event), await ws.until((frame) => frame.event)];
    assert.deepEqual(first, {
      event: 'pointsUpdated',
      data: {
        userId: id, points: 500, pointsAdded: 500, category: 'shopping', amount: 100,
        transactionId: first.data.transactionId, timestamp: first.data.timestamp,
      },
    });
    assert.deepEqual(second, {
      event: 'rewardRedeemed',
      data: {
        userId: id, redemptionId: second.data.redemptionId, rewardType: 'voucher', pointsRedeemed: 200,
        remainingPoints: 300, timestamp: second.data.timestamp,
      },
    });
    ws.send('whatever');
    await earn(anybody, id, 1);
    await ws.until((frame) => frame.data.points === 301);
    await ws.close();
  });

  test('who may', async () => {
    const [ada, admin] = [await register(server), await administrator()];
    const id = await member(till);
    for (const options of [{ headers: till.headers }, { token: admin.token }]) {
      const ws = await listen(server, options);
      await earn(till, id, 1);
      await ws.until((frame) => frame.event === 'pointsUpdated');
      await ws.close();
    }
    for (const [options, code] of [[{}, 4401], [{ token: 'nonsense' }, 4401], [{ token: ada.token }, 4403]]) {
      const ws = await listen(server, options);
      assert.equal((await ws.closed()).code, code);
    }
  });

  test('a revoked token ends it', async () => {
    const admin = await administrator();
    const ws = await listen(server, { token: admin.token });
    assert.equal((await api(server, { token: admin.token }).post('/api/auth/logout')).status, 200);
    assert.equal((await ws.closed()).code, 4401);
  });

  test('without an upgrade it is no page', async () => {
    const reply = await anybody.get('/rewards');
    assert.equal(reply.status, 426);
    assert.equal(reply.headers.upgrade, 'websocket');
  });
});

test('an administrator whose token is revoked hears no more', async () => {
  const admin = await administrator();
  const one = await listener(server, { auth: { token: admin.token } });
  const id = await member(till);
  await earn(till, id, 1);
  await one.heard('pointsUpdated');
  assert.equal((await api(server, { token: admin.token }).post('/api/auth/logout')).status, 200);
  await until(() => one.ends.length, 'the socket to be ended');
  await earn(till, id, 1);
  await never(() => one.said('pointsUpdated').length > 1, 'an event for a token that is void');
  await one.leave();
});
