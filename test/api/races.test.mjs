// Many at once, over two processes: BANK-06 with one key, down to the floor, in opposite directions; BANK-03 up to
// the limit. Whatever the order was, the ledger holds afterwards.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { agentFor } from '../lib/client.mjs';
import { audit, balanceOf, customer, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const CLIENTS = 64;
let server;
let system;
let agents;      // one connection each, so that both processes get their share
before(async () => {
  server = await startServer({ workers: 2 });
  system = await systemUser(server);
  agents = Array.from({ length: CLIENTS }, () => agentFor(server.url, { maxSockets: 1 }));
});
after(async () => {
  for (const agent of agents ?? []) agent.destroy();
  await audit(server);
  await server.stop();
});

/** All clients at once; checks that they did not all meet the same process, whose mark begins its request ids. */
async function all(request) {
  const replies = await Promise.all(agents.map((agent, n) => request({ agent, timeout: 60_000 }, n)));
  const processes = new Set(replies.map(({ headers }) => headers['x-request-id'].slice(0, 8)));
  assert.equal(processes.size, 2, 'two processes answered');
  return replies;
}

const pair = async (amount) =>
  [await customer(server, system, { amount }), await customer(server, system, { amount: 0 })];

/** What a process does becomes visible at the others with the change stream. */
const settles = (person, account, balance) =>
  until(async () => (await balanceOf(person, account)) === balance, `a balance of ${balance}`);

test('one key from 64 clients: one transfer, one answer', async () => {
  const [ada, bob] = await pair(1000);
  for (let round = 0; round < 3; round++) {
    const key = randomUUID();
    const replies = await all((options) => transfer(ada, ada.account, bob.account, 10, key, options));
    assert.deepEqual([...new Set(replies.map(({ status }) => status))], [200]);
    assert.equal(new Set(replies.map(({ json }) => JSON.stringify(json.transaction))).size, 1);
    assert.equal(replies.filter(({ headers }) => headers['idempotent-replayed'] === undefined).length, 1);
    assert.equal((await ada.api.get('/api/transactions')).json.pagination.total, 2 + round);
  }
  await settles(ada, ada.account, 970);
  await settles(bob, bob.account, 30);
});

test('one key with 64 different amounts: one wins, the others are conflicts', async () => {
  const [ada, bob] = await pair(10_000);
  const key = randomUUID();
  const replies = await all((options, n) => transfer(ada, ada.account, bob.account, n + 1, key, options));
  const done = replies.filter(({ status }) => status === 200);
  assert.equal(done.length, 1);
  for (const reply of replies) {
    if (reply.status !== 200) fails(reply, 409, 'idempotencyKey was already used with different data');
  }
  await settles(bob, bob.account, done[0].json.transaction.amount);
});

test('64 clients empty one account: exactly the floor is left', async () => {
  const [ada, bob] = await pair(100);
  const replies = await all((options) => transfer(ada, ada.account, bob.account, 7, randomUUID(), options));
  assert.equal(replies.filter(({ status }) => status === 200).length, 14);
  for (const reply of replies) if (reply.status !== 200) fails(reply, 400, 'Insufficient balance');
  await settles(ada, ada.account, 2);
  await settles(bob, bob.account, 98);
});

test('opposing transfers never wait for each other for ever', async () => {
  const people = await Promise.all([1, 2, 3].map(() => customer(server, system, { amount: 5000 })));
  for (let round = 0; round < 5; round++) {
    // Each pair in both directions, in circles and against them, from both processes.
    const replies = await all((options, n) => {
      const [from, to] = [people[n % 3], people[(n + (n % 2 ? 1 : 2)) % 3]];
      return transfer(from, from.account, to.account, 1 + n, randomUUID(), options);
    });
    for (const reply of replies) assert.equal(reply.status, 200, reply.text);
  }
  const sum = async () => {
    const balances = await Promise.all(people.map((person) => balanceOf(person, person.account)));
    return balances.reduce((a, b) => a + b);
  };
  await until(async () => (await sum()) === 15_000, 'the sum to be what was put in');
});

test('what one process has opened a moment ago, the other can fund, pay and show', async () => {
  const ada = await customer(server, system, { amount: 1000 });
  for (let n = 0; n < 20; n++) {
    const [here, there] = [{ agent: agents[n] }, { agent: agents[n + 20] }];
    const dan = await register(server);
    const { account } = (await dan.api.post('/api/accounts', here)).json;
    const body = { userId: dan.id, amount: 5, idempotencyKey: randomUUID() };
    const funded = await system.api.post('/api/transactions/system/initial-funds', { body, ...there });
    assert.equal(funded.status, 200, funded.text);
    assert.equal((await transfer(ada, ada.account, account, 1, randomUUID(), there)).status, 200);
    assert.equal((await transfer(dan, account, ada.account, 6, randomUUID(), here)).status, 200);
    assert.equal((await dan.api.get(`/api/accounts/balance/${account._id}`, there)).status, 200);
  }
});

test('30 accounts opened at once by somebody who has 90: he has 100 then', async () => {
  const carol = await register(server);
  for (let n = 0; n < 9; n++) await Promise.all(Array.from({ length: 10 }, () => openAccount(carol)));
  const replies = await Promise.all(agents.slice(0, 30).map((agent) => carol.api.post('/api/accounts', { agent })));
  assert.equal(replies.filter(({ status }) => status === 201).length, 10);
  for (const reply of replies) if (reply.status !== 201) fails(reply, 409, 'Account limit reached');
  await until(async () => (await carol.api.get('/api/accounts')).json.accounts.length === 100, 'the list of 100');
});
