// What has moved: BANK-22 (the list, by pages) and BANK-23 (one transaction).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { customer, fund, logIn, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

const UNKNOWN = '0123456789abcdef01234567';
let server;
let system;
let ada;
let bob;
let carol;
let second;       // a further account of Ada's
let funds;        // the transaction that gave Ada her money
const sent = [];  // 23 from Ada to Bob, the oldest first
let between;      // from Ada's first account to her second

before(async () => {
  server = await startServer();
  system = await systemUser(server);
  [ada, bob, carol] = [await register(server), await customer(server, system, { amount: 0 }), await register(server)];
  ada.account = await openAccount(ada);
  second = await openAccount(ada);
  funds = await fund(system, ada.account, 1000);
  for (let n = 1; n <= 23; n++) {
    const reply = await transfer(ada, ada.account, bob.account, n);
    assert.equal(reply.status, 200);
    sent.push(reply.json.transaction);
  }
  between = (await transfer(ada, ada.account, second, 0.5)).json.transaction;
});
after(() => server?.stop());

const listOf = async (person, query = '') => {
  const reply = await person.api.get(`/api/transactions${query}`);
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(Object.keys(reply.json).sort(), ['pagination', 'transactions']);
  return reply.json;
};
const directed = (transactions, direction) => transactions.map((transaction) => ({ ...transaction, direction }));
const newestFirst = (transactions) => [...transactions].reverse();

describe('BANK-22, the list', () => {
  test('has the newest first, 20 on a page, with the caller\'s side', async () => {
    const all = [...directed(newestFirst([...sent, between]), 'debit'), ...directed([funds], 'credit')];
    assert.deepEqual(await listOf(ada), {
      transactions: all.slice(0, 20), pagination: { page: 1, limit: 20, total: 25, hasMore: true },
    });
    assert.deepEqual(await listOf(ada, '?page=2'), {
      transactions: all.slice(20), pagination: { page: 2, limit: 20, total: 25, hasMore: false },
    });
    assert.deepEqual(await listOf(ada, '?page=3&limit=10'), {
      transactions: all.slice(20), pagination: { page: 3, limit: 10, total: 25, hasMore: false },
    });
    assert.deepEqual(await listOf(ada, '?limit=100'), {
      transactions: all, pagination: { page: 1, limit: 100, total: 25, hasMore: false },
    });
  });

  test('ends exactly at the last page, and has nothing beyond it', async () => {
    const last = (await listOf(ada, '?limit=5&page=5')).pagination;
    assert.deepEqual(last, { page: 5, limit: 5, total: 25, hasMore: false });
    assert.deepEqual(await listOf(ada, '?limit=5&page=6'), {
      transactions: [], pagination: { page: 6, limit: 5, total: 25, hasMore: false },
    });
  });

  test('shows the same transfers to the receiver, as credits', async () => {
    assert.deepEqual((await listOf(bob, '?limit=100')).transactions, directed(newestFirst(sent), 'credit'));
  });

  test('shows one between two accounts of the caller once, as a debit', async () => {
    const { transactions } = await listOf(ada, '?limit=100');
    const found = transactions.filter(({ _id }) => _id === between._id);
    assert.deepEqual(found, [{ ...between, direction: 'debit' }]);
  });

  test('can be of one account; then that account\'s side counts', async () => {
    assert.deepEqual(await listOf(ada, `?account=${second._id}`), {
      transactions: [{ ...between, direction: 'credit' }], pagination: { page: 1, limit: 20, total: 1, hasMore: false },
    });
    assert.equal((await listOf(ada, `?account=${ada.account._id}`)).pagination.total, 25);
  });

  test('is empty for who has moved nothing', async () => {
    const nothing = { transactions: [], pagination: { page: 1, limit: 20, total: 0, hasMore: false } };
    assert.deepEqual(await listOf(carol), nothing);
    await openAccount(carol);
    assert.deepEqual(await listOf(carol), nothing);
  });

  test('takes only accounts of the caller', async () => {
    const of = (account) => ada.api.get(`/api/transactions?account=${account}`);
    fails(await of(bob.account._id), 403, 'This account does not belong to you');
    for (const bad of [UNKNOWN, 'x', ada.id, '1']) fails(await of(bad), 404, 'Account not found');
  });

  for (const [query, ...fields] of [['page=0', 'page'], ['page=-1', 'page'], ['page=x', 'page'], ['page=1.5', 'page'],
    ['limit=0', 'limit'], ['limit=101', 'limit'], ['limit=1e1', 'limit'], ['page=0&limit=0', 'page', 'limit'],
    ['page=99999999999999999999', 'page'], ['limit=%zz', 'limit']]) {
    test(`refuses ?${query}`, async () => {
      fails(await ada.api.get(`/api/transactions?${query}`), 400, 'Validation failed', fields);
    });
  }

  test('ignores parameters it does not know', async () => {
    assert.equal((await listOf(ada, '?sort=up&offset=7&limit=1')).transactions.length, 1);
  });
});

describe('BANK-23, one transaction', () => {
  const one = (person, id) => person.api.get(`/api/transactions/${id}`);

  test('is what the transfer answered, for sender and receiver', async () => {
    for (const person of [ada, bob]) {
      const reply = await one(person, sent[0]._id);
      assert.equal(reply.status, 200);
      assert.deepEqual(reply.json, { transaction: sent[0] });
    }
    assert.deepEqual((await one(ada, funds._id)).json, { transaction: funds });
  });

  test('does not exist for anybody else', async () => {
    fails(await one(carol, sent[0]._id), 404, 'Transaction not found');
    fails(await one(system, funds._id), 404, 'Transaction not found');
    fails(await one(bob, between._id), 404, 'Transaction not found');
  });

  test('does not exist under other ids', async () => {
    for (const bad of [UNKNOWN, 'x', '1', ada.account._id, sent[0]._id.toUpperCase()]) {
      fails(await one(ada, bad), 404, 'Transaction not found');
    }
  });

  test('needs a token', async () => {
    fails(await api(server).get(`/api/transactions/${sent[0]._id}`), 401, 'Unauthorized');
    fails(await api(server).get('/api/transactions'), 401, 'Unauthorized');
  });
});

describe('points are no money', () => {
  // Their owner can know the account's id: it is the stream of the event that POINTS-09 causes.
  async function pointsAccountOf(person, admin) {
    const ws = await socket(server, { token: person.token });
    await ws.next('hello');
    const body = { userId: person.id, amount: 500, reason: 'for the test' };
    assert.equal((await admin.api.post('/api/points/admin/add', { body })).status, 200);
    const { stream } = await ws.next('points-updated');
    await ws.close();
    return stream;
  }

  test('so the bank knows no points account, neither for money nor for points', async () => {
    const who = { email: 'admin@example.com', password: 'admin password' };
    await server.command('user', 'add', '--email', who.email, '--password', who.password, '--role', 'admin');
    const admin = await logIn(server, who);
    const mine = await pointsAccountOf(ada, admin);
    const his = await pointsAccountOf(bob, admin);
    for (const [from, to] of [[mine, second._id], [ada.account._id, mine], [mine, his]]) {
      fails(await transfer(ada, from, to, 1), 404, 'Account not found');
    }
    for (const path of ['accounts/', 'accounts/balance/', 'transactions?account=']) {
      fails(await ada.api.get(`/api/${path}${mine}`), 404, 'Account not found');
    }
    const body = { toAccount: mine, amount: 1, idempotencyKey: 'money for points' };
    fails(await system.api.post('/api/transactions/system/initial-funds', { body }), 404, 'Account not found');
    const status = { body: { status: 'frozen' } };
    fails(await system.api.patch(`/api/accounts/${mine}/status`, status), 404, 'Account not found');
  });
});
