// Accounts, field by field as the contract has them: BANK-03 (open), BANK-04 (list), BANK-05 (balance),
// BANK-24 (one), BANK-25 (status).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { balanceOf, customer, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';

let server;
let system;
let ada;
let bob;
before(async () => {
  server = await startServer();
  system = await systemUser(server);
  ada = await register(server, { name: 'Ada' });
  bob = await customer(server, system, { name: 'Bob', amount: 10 });
});
after(() => server?.stop());

const UNKNOWN = '0123456789abcdef01234567';

function isAccount(account, owner) {
  assert.deepEqual(Object.keys(account).sort(),
    ['_id', 'balance', 'createdAt', 'currency', 'status', 'updatedAt', 'user']);
  assert.match(account._id, ID);
  assert.equal(account.user, owner.id);
  assert.equal(account.currency, 'USD');
  assert.match(account.createdAt, TIME);
  assert.match(account.updatedAt, TIME);
}

describe('BANK-04, before there is an account', () => {
  test('lists nothing', async () => {
    const reply = await ada.api.get('/api/accounts');
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json, { account: null, accounts: [] });
  });
});

describe('BANK-03, opening an account', () => {
  test('gives an active account of the caller with nothing in it', async () => {
    const reply = await ada.api.post('/api/accounts');
    assert.equal(reply.status, 201);
    assert.equal(reply.json.message, 'Account created successfully');
    isAccount(reply.json.account, ada);
    assert.equal(reply.json.account.status, 'active');
    assert.equal(reply.json.account.balance, 0);
  });

  for (const [what, options] of Object.entries({
    'an owner': { body: { user: UNKNOWN, balance: 1_000_000, status: 'frozen' } },
    'what is no JSON': { body: 'not JSON {', headers: { 'content-type': 'application/json' } },
    'what is of another type': { body: '<x/>', headers: { 'content-type': 'text/xml' } },
  })) {
    test(`ignores any body: ${what}`, async () => {
      const reply = await ada.api.post('/api/accounts', options);
      assert.equal(reply.status, 201);
      assert.equal(reply.json.account.user, ada.id);
      assert.equal(reply.json.account.balance, 0);
      assert.equal(reply.json.account.status, 'active');
    });
  }

  test('goes on up to 100 accounts a customer', async () => {
    const carol = await register(server, { name: 'Carol' });
    for (let n = 0; n < 10; n++) await Promise.all(Array.from({ length: 10 }, () => openAccount(carol)));
    fails(await carol.api.post('/api/accounts'), 409, 'Account limit reached');
    assert.equal((await carol.api.get('/api/accounts')).json.accounts.length, 100);
  });
});

describe('BANK-04, the list', () => {
  test('has the oldest first, and that one apart', async () => {
    const dan = await register(server, { name: 'Dan' });
    const opened = [await openAccount(dan), await openAccount(dan), await openAccount(dan)];
    const { json } = await dan.api.get('/api/accounts');
    assert.deepEqual(json.accounts, opened);
    assert.deepEqual(json.account, opened[0]);
  });

  test('shows each balance as it is now', async () => {
    const eve = await customer(server, system, { amount: 12.5 });
    const { json } = await eve.api.get('/api/accounts');
    assert.equal(json.accounts[0].balance, 12.5);
    assert.ok(json.accounts[0].updatedAt >= json.accounts[0].createdAt);
  });
});

describe('BANK-05, the balance', () => {
  test('is the sum of what came less what went', async () => {
    const [a, b] = [await openAccount(ada), await openAccount(ada)];
    await fund(system, a, 500);
    await fund(system, a, 3.2);
    assert.equal((await transfer(ada, a, b, 100.01)).status, 200);
    const reply = await ada.api.get(`/api/accounts/balance/${a._id}`);
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json, { accountId: a._id, balance: 403.19, currency: 'USD' });
    assert.equal(await balanceOf(ada, b), 100.01);
  });

  test('is printed as a plain number: 500, 3.2', async () => {
    const account = await openAccount(ada);
    await fund(system, account, 500);
    assert.match((await ada.api.get(`/api/accounts/balance/${account._id}`)).text, /"balance":500,/);
    await fund(system, account, 0.2);
    assert.match((await ada.api.get(`/api/accounts/balance/${account._id}`)).text, /"balance":500\.2,/);
  });
});

describe('BANK-24, one account', () => {
  test('is shown as the list shows it', async () => {
    const { json } = await bob.api.get('/api/accounts');
    const reply = await bob.api.get(`/api/accounts/${bob.account._id}`);
    assert.equal(reply.status, 200);
    assert.deepEqual(reply.json, { account: json.account });
    isAccount(reply.json.account, bob);
    assert.equal(reply.json.account.balance, 10);
  });
});

// Ids of nothing, of something else, and what cannot be an id at all, are alike.
const noAccounts = () => [UNKNOWN, ada.id, '1', 'x', bob.account._id.slice(1), bob.account._id.toUpperCase(),
  `${bob.account._id}0`, '-1', '%20', "'%20OR%201=1--", '9'.repeat(400)];

for (const [id, path] of [['BANK-05', '/api/accounts/balance/'], ['BANK-24', '/api/accounts/']]) {
  describe(`${id}, ids`, () => {
    test('that are no account of anybody: 404', async () => {
      for (const bad of noAccounts()) fails(await bob.api.get(path + bad), 404, 'Account not found');
    });
    test('of somebody else: 403', async () => {
      fails(await ada.api.get(path + bob.account._id), 403, 'This account does not belong to you');
    });
    test('need a token: 401', async () => {
      fails(await api(server).get(path + bob.account._id), 401, 'Unauthorized');
    });
  });
}

describe('BANK-25, the status', () => {
  const set = (account, status, who = system) =>
    who.api.patch(`/api/accounts/${account._id ?? account}/status`, { body: { status } });

  test('is set by the system user, and shows everywhere', async () => {
    const account = await openAccount(ada);
    for (const status of ['frozen', 'active', 'closed', 'active', 'frozen']) {
      const reply = await set(account, status);
      assert.equal(reply.status, 200);
      assert.equal(reply.json.message, 'Account status updated');
      isAccount(reply.json.account, ada);
      assert.equal(reply.json.account.status, status);
      assert.deepEqual((await ada.api.get(`/api/accounts/${account._id}`)).json.account, reply.json.account);
    }
  });

  test('is no business of customers, not even of the owner', async () => {
    fails(await set(bob.account, 'frozen', bob), 403);
    fails(await set(bob.account, 'frozen', ada), 403);
    assert.equal((await bob.api.get(`/api/accounts/${bob.account._id}`)).json.account.status, 'active');
  });

  test('cannot become closed as long as there is money in it', async () => {
    fails(await set(bob.account, 'closed'), 400, 'Account balance must be 0 to close it');
    assert.equal((await bob.api.get(`/api/accounts/${bob.account._id}`)).json.account.status, 'active');
  });

  test('of an unknown account: 404', async () => {
    for (const bad of noAccounts()) fails(await set(bad, 'frozen'), 404, 'Account not found');
  });

  for (const body of [{}, { status: 'gone' }, { status: 'Active' }, { status: null }, { status: 1 }, { status: '' }]) {
    test(`is active, frozen or closed, not ${JSON.stringify(body)}`, async () => {
      const reply = await system.api.patch(`/api/accounts/${bob.account._id}/status`, { body });
      fails(reply, 400, 'Validation failed', ['status']);
    });
  }
});
