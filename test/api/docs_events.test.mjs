// The document of the events against what really comes, through every door: each message is what /asyncapi.json says of
// it, member by member, and nothing that the document shows is left out.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { api, socket } from '../lib/client.mjs';
import { customer, fund, register, systemUser } from '../lib/people.mjs';
import { eventsOf, listen, settledCustomer } from '../lib/listen.mjs';
import { signUp, verify } from '../lib/referrals.mjs';
import { fits } from '../lib/schema.mjs';
import { startServer } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

// Payments have their own tests.
const ELSEWHERE = ['payment-status', 'payment:status:update', 'subscribe:payment:ack', 'unsubscribe:payment:ack'];

let server, document, system, admin, ada;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  document = (await api(server).get('/asyncapi.json')).json;
  system = await systemUser(server);
  admin = await register(server, { name: 'Root' });
  await server.command('user', 'role', '--email', admin.email, '--role', 'admin');
  ada = await settledCustomer(server, system, { name: 'Ada' });
});
after(() => server?.stop());

const grant = async (person, amount) => {
  const body = { userId: person.id, amount, reason: 'a test', metadata: { category: 'a category' } };
  assert.equal((await admin.api.post('/api/points/admin/add', { body })).status, 200);
};

/** What has come through a channel of the document. */
class Channel {
  constructor(key) {
    this.key = key;
    this.messages = Object.values(document.channels[key].messages);
    this.seen = new Set();
  }

  check(name, payload) {
    const message = this.messages.find((one) => one.name === name);
    assert.ok(message, `${this.key}: ${name} is not in the document`);
    fits(message.payload, payload, `${this.key}: ${name}`);
    this.seen.add(name);
  }

  /** Everything that the server may send here has come. */
  complete() {
    const sent = Object.values(document.operations).filter(({ channel }) => channel.$ref === `#/channels/${this.key}`)
      .flatMap(({ action, messages, reply }) => (action === 'send' ? messages : reply.messages))
      .map(({ $ref }) => document.channels[this.key].messages[$ref.split('/').pop()].name);
    assert.deepEqual([...this.seen].sort(), [...new Set(sent)].filter((name) => !ELSEWHERE.includes(name)).sort());
  }
}

test('/ws', async () => {
  const channel = new Channel('ws');
  const check = (ws) => ws.frames.forEach((frame) => channel.check(frame.type, frame));
  const ws = await listen(server, ada);
  await fund(system, ada.account, 12.5);
  await grant(ada, 5000);
  for (const type of ['balance-updated', 'points-updated', 'level-up']) await ws.next(type);
  ws.send({ type: 'subscribe', topics: ['points', 'nonsense'] });
  await ws.next('subscribed');
  ws.send({ type: 'unsubscribe', topics: ['points'] });
  await ws.next('unsubscribed');
  ws.send({ type: 'ping' });
  await ws.next('pong');
  ws.send({ type: 'sing' });
  await ws.until((frame) => frame.code === 'unknown_type');
  check(ws);
  assert.equal(eventsOf(ws).length, 3);
  await ws.close();

  const back = await listen(server, ada, { cursor: ws.hello.cursor });
  assert.equal(back.hello.resumed, 3);
  check(back);
  await back.close();

  const lost = await listen(server, ada, { cursor: 'nonsense' });
  check(lost);
  await lost.close();

  const token = (await server.command('token', '--email', ada.email, '--ttl', '61')).trim().split(/\s+/).pop();
  const short = await socket(server, { token });
  await short.next('expiring');
  check(short);
  await short.close();
  channel.complete();
});

describe('members', () => {
  const earn = (points) => ({ body: { points, category: 'shopping', amount: 12.5 } });
  const spend = { body: { pointsToRedeem: 200, rewardType: 'voucher' } };
  let anybody;
  before(async () => {
    anybody = api(server);
    const body = { id: 'john123', name: 'John Doe', email: 'john@example.com' };
    assert.equal((await anybody.post('/rewards/create-user', { body })).status, 201);
  });

  async function move() {
    assert.equal((await anybody.post('/rewards/add-points/john123', earn(500))).status, 201);
    assert.equal((await anybody.post('/rewards/redeem/john123', spend)).status, 201);
  }

  test('on /ws, which has them as points-updated', async () => {
    const channel = new Channel('ws');
    const ws = await socket(server);
    await ws.next('hello');
    ws.send({ type: 'subscribe', topics: ['rewards'] });
    await ws.next('subscribed');
    await move();
    for (const delta of [500, -200]) {
      const event = await ws.next('points-updated');
      channel.check('points-updated', event);
      assert.equal(event.data.delta, delta);
      assert.equal(event.data.program, 'rewards');
    }
    await ws.close();
  });

  test('on the plain /rewards', async () => {
    const channel = new Channel('rewards');
    const ws = await socket(server, { path: '/rewards' });
    await move();
    for (const name of ['pointsUpdated', 'rewardRedeemed']) {
      channel.check(name, await ws.until((frame) => frame.event === name));
    }
    await ws.close();
    channel.complete();
  });

  test('on Socket.IO, namespace /rewards', async () => {
    const channel = new Channel('socketio-rewards');
    const client = await connect('/rewards');
    channel.check('subscribe:ack', await client.ask('subscribe', { userId: 'john123' }));
    await move();
    for (const name of ['pointsUpdated', 'rewardRedeemed']) channel.check(name, await client.next(name));
    channel.check('unsubscribe:ack', await client.ask('unsubscribe', { userId: 'john123' }));
    client.close();
    channel.complete();
  });
});

/** A stock client that is connected to a namespace. */
async function connect(namespace, auth) {
  const client = io(`${server.url}${namespace}`, { auth, forceNew: true, reconnection: false });
  const came = [];
  client.onAny((name, payload) => came.push({ name, payload }));
  await within(new Promise((resolve, reject) => { client.on('connect', resolve).on('connect_error', reject); }), 10_000,
    `a connection to ${namespace}`);
  return {
    next: (wanted) => until(() => came.find(({ name }) => name === wanted)?.payload, wanted),
    ask: (name, payload) => client.timeout(10_000).emitWithAck(name, payload),
    close: () => client.disconnect(),
  };
}

test('Socket.IO, default namespace', async () => {
  const channel = new Channel('socketio');
  const eve = await signUp(server, { name: 'Eve' });
  const client = await connect('/', { token: eve.token });
  channel.check('join:ack', await client.ask('join', { userId: eve.id }));
  await verify(server, await signUp(server, { name: 'Jane Doe', code: eve.code }));
  channel.check('referral-reward', await client.next('referral-reward'));
  await grant(eve, 5000);
  channel.check('level-up', await client.next('level-up'));
  const account = (await api(server, { token: eve.token }).post('/api/accounts')).json.account;
  await fund(system, account, 12.5);
  channel.check('balance-updated', await client.next('balance-updated'));
  client.close();
  channel.complete();
});
