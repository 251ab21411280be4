// Moving money, as the contract has it: BANK-06 (transfer), the order of its checks, repeats by key;
// BANK-07 (initial funds).
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { audit, balanceOf, customer, fund, openAccount, register, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';

let server;
let system;
let ada;
let bob;
let frozen;
before(async () => {
  server = await startServer();
  system = await systemUser(server);
  ada = await customer(server, system, { name: 'Ada', amount: 1000 });
  bob = await customer(server, system, { name: 'Bob', amount: 50 });
  frozen = await openAccount(ada);
  await setStatus(frozen, 'frozen');
});
after(async () => {
  await audit(server);
  await server.stop();
});

const UNKNOWN = '0123456789abcdef01234567';
const NOT_YOURS = 'This account does not belong to you';
const FIELDS = ['fromAccount', 'toAccount', 'amount', 'idempotencyKey'];

async function setStatus(account, status) {
  const reply = await system.api.patch(`/api/accounts/${account._id}/status`, { body: { status } });
  assert.equal(reply.status, 200, reply.text);
}

function isTransaction(transaction, expected) {
  assert.deepEqual(Object.keys(transaction).sort(), ['_id', 'amount', 'createdAt', 'fromAccount', 'idempotencyKey',
    'status', 'toAccount', 'type', 'updatedAt']);
  assert.match(transaction._id, ID);
  assert.match(transaction.createdAt, TIME);
  assert.match(transaction.updatedAt, TIME);
  for (const [name, value] of Object.entries({ status: 'completed', ...expected })) {
    assert.equal(transaction[name], value, name);
  }
}

/** Runs the test's body and checks what it has done to both balances. */
async function moves(amount, body) {
  const cents = async (person) => Math.round(await balanceOf(person, person.account) * 100);
  const before = [await cents(ada), await cents(bob)];
  await body();
  assert.deepEqual([await cents(ada), await cents(bob)], [before[0] - amount * 100, before[1] + amount * 100]);
}

describe('BANK-06, a transfer', () => {
  test('moves the amount from account to account', () => moves(500, async () => {
    const key = randomUUID();
    const reply = await transfer(ada, ada.account, bob.account, 500, key);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['idempotent-replayed'], undefined);
    assert.equal(reply.json.message, 'Transaction completed successfully');
    isTransaction(reply.json.transaction, {
      type: 'transfer', fromAccount: ada.account._id, toAccount: bob.account._id, amount: 500, idempotencyKey: key,
    });
  }));

  test('may empty the account, to the last cent', async () => {
    const carol = await customer(server, system, { amount: 0.03 });
    fails(await transfer(carol, carol.account, bob.account, 0.04), 400, 'Insufficient balance');
    assert.equal((await transfer(carol, carol.account, bob.account, 0.03)).status, 200);
    assert.equal(await balanceOf(carol, carol.account), 0);
    fails(await transfer(carol, carol.account, bob.account, 0.01), 400, 'Insufficient balance');
  });

  test('names all that is wrong with the body at once', () => moves(0, async () => {
    const post = (body) => ada.api.post('/api/transactions', { body });
    fails(await post({}), 400, 'Validation failed', FIELDS);
    fails(await post({ fromAccount: 1.5, toAccount: [], amount: '1', idempotencyKey: 7 }), 400, 'Validation failed',
      ['toAccount', 'amount', 'idempotencyKey']);
    fails(await post({ fromAccount: null, toAccount: '', amount: null, idempotencyKey: '' }), 400, 'Validation failed',
      FIELDS);
    fails(await ada.api.post('/api/transactions', { headers: { 'content-type': 'application/json' } }), 400,
      'Validation failed', FIELDS);
  }));

  test('ignores members it does not know', () => moves(1, async () => {
    const body = { fromAccount: ada.account._id, toAccount: bob.account._id, amount: 1, idempotencyKey: randomUUID(),
      status: 'failed', balance: 9, user: bob.id, type: 'initial_funds' };
    const reply = await ada.api.post('/api/transactions', { body });
    assert.equal(reply.status, 200);
    assert.equal(reply.json.transaction.type, 'transfer');
  }));

  for (const [what, key] of Object.entries({ '1 character': 'k', '128 characters': 'ü'.repeat(128),
    '128 characters beyond the first plane': '🙂'.repeat(128), 'quotes and backslashes': '"\\/<>\'$1' })) {
    test(`takes a key of ${what} and gives it back`, async () => {
      const reply = await transfer(ada, ada.account, bob.account, 0.01, key);
      assert.equal(reply.status, 200, reply.text);
      assert.equal(reply.json.transaction.idempotencyKey, key);
      assert.equal((await transfer(ada, ada.account, bob.account, 0.01, key)).headers['idempotent-replayed'], 'true');
    });
  }

  for (const key of ['', 'k'.repeat(129), 'a\u0001b', null, 5, {}]) {
    test(`refuses the key ${JSON.stringify(key).slice(0, 20)}`, () => moves(0, async () => {
      const body = { fromAccount: ada.account._id, toAccount: bob.account._id, amount: 1, idempotencyKey: key };
      fails(await ada.api.post('/api/transactions', { body }), 400, 'Validation failed', ['idempotencyKey']);
    }));
  }
});

describe('BANK-06, the order of the checks', () => {
  const used = 'a used key';
  // Each spoils one thing; `reasons` stands in the contract's order, so that of two the first decides.
  const reasons = [
    { spoil: { amount: 0 }, says: [400, 'Validation failed', ['amount']] },
    { spoil: { idempotencyKey: used }, says: [409, 'idempotencyKey was already used with different data'] },
    { spoil: { same: true }, says: [400, 'fromAccount and toAccount must be different'] },
    { spoil: { toAccount: UNKNOWN }, says: [404, 'Account not found'] },
    { spoil: { foreign: true }, says: [403, NOT_YOURS] },
    { spoil: { frozen: true }, says: [400, 'Account is not active'] },
    { spoil: { amount: 1_000_000 }, says: [400, 'Insufficient balance'] },
  ];
  before(async () => { assert.equal((await transfer(ada, ada.account, bob.account, 2, used)).status, 200); });

  async function bodyOf({ same, foreign, frozen: isFrozen, ...spoil }) {
    const body = { fromAccount: ada.account._id, toAccount: bob.account._id, amount: 1, idempotencyKey: randomUUID() };
    // "Not the caller's" and "frozen" want an account of their own for each side.
    if (foreign) Object.assign(body, { fromAccount: bob.account._id, toAccount: ada.account._id });
    if (isFrozen) body[foreign ? 'toAccount' : 'fromAccount'] = frozen._id;
    if (same) body.toAccount = body.fromAccount;
    if (same && 'toAccount' in spoil) body.fromAccount = spoil.toAccount;
    return { ...body, ...spoil };
  }

  reasons.forEach((first, at) => {
    test(`${JSON.stringify(first.spoil)}: ${first.says.slice(0, 2).join(' ')}`, () => moves(0, async () => {
      fails(await ada.api.post('/api/transactions', { body: await bodyOf(first.spoil) }), ...first.says);
    }));
    for (const second of reasons.slice(at + 1)) {
      test(`… also with ${JSON.stringify(second.spoil)}`, () => moves(0, async () => {
        const body = await bodyOf({ ...second.spoil, ...first.spoil });
        fails(await ada.api.post('/api/transactions', { body }), ...first.says);
      }));
    }
  });

  test('the receiver may be the one that is not active', () => moves(0, async () => {
    fails(await transfer(bob, bob.account, frozen, 1), 400, 'Account is not active');
    fails(await transfer(ada, ada.account, frozen, 1), 400, 'Account is not active');
  }));

  test('closed is not active either, and active again is', async () => {
    const account = await openAccount(bob);
    await setStatus(account, 'closed');
    fails(await transfer(ada, ada.account, account, 1), 400, 'Account is not active');
    await setStatus(account, 'active');
    assert.equal((await transfer(ada, ada.account, account, 1)).status, 200);
  });

  test('ids that cannot be one are unknown accounts, unless they are the same', () => moves(0, async () => {
    for (const bad of [UNKNOWN, 'x', ada.id, '1', ada.account._id.toUpperCase()]) {
      fails(await transfer(ada, ada.account, bad, 1), 404, 'Account not found');
      fails(await transfer(ada, bad, ada.account, 1), 404, 'Account not found');
      fails(await transfer(ada, bad, bad, 1), 400, 'fromAccount and toAccount must be different');
    }
    fails(await transfer(ada, 'x', 'y', 1), 404, 'Account not found');
  }));
});

describe('BANK-06, a repeated key', () => {
  test('with the same data answers like the first time, and does nothing', () => moves(7, async () => {
    const key = randomUUID();
    const first = await transfer(ada, ada.account, bob.account, 7, key);
    for (let n = 0; n < 3; n++) {
      const again = await transfer(ada, ada.account, bob.account, 7, key);
      assert.equal(again.status, 200);
      assert.equal(again.headers['idempotent-replayed'], 'true');
      assert.equal(again.json.message, 'Transaction already processed');
      assert.deepEqual(again.json.transaction, first.json.transaction);
    }
    const written = { fromAccount: ada.account._id, toAccount: bob.account._id, idempotencyKey: key };
    const body = JSON.stringify({ ...written, amount: 0 }).replace('"amount":0', '"amount":0.7e1');
    const same = await ada.api.post('/api/transactions', { body });
    assert.equal(same.headers['idempotent-replayed'], 'true');
  }));

  test('with other data is a conflict, and does nothing', () => moves(3, async () => {
    const key = randomUUID();
    const other = await openAccount(ada);
    assert.equal((await transfer(ada, ada.account, bob.account, 3, key)).status, 200);
    const message = 'idempotencyKey was already used with different data';
    fails(await transfer(ada, ada.account, bob.account, 3.01, key), 409, message);
    fails(await transfer(ada, ada.account, other, 3, key), 409, message);
    fails(await transfer(ada, other, bob.account, 3, key), 409, message);
    fails(await transfer(ada, ada.account, UNKNOWN, 3, key), 409, message);
  }));

  test('is each caller\'s own', () => moves(0, async () => {
    const key = randomUUID();
    assert.equal((await transfer(ada, ada.account, bob.account, 5, key)).status, 200);
    const reply = await transfer(bob, bob.account, ada.account, 5, key);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['idempotent-replayed'], undefined);
  }));

  test('is unused after a failed attempt', async () => {
    const key = randomUUID();
    const carol = await customer(server, system, { amount: 0 });
    fails(await transfer(carol, carol.account, bob.account, 5, key), 400, 'Insufficient balance');
    fails(await transfer(carol, carol.account, UNKNOWN, 5, key), 404);
    fails(await transfer(carol, carol.account, carol.account, 5, key), 400);
    fails(await transfer(carol, bob.account, carol.account, 5, key), 403);
    assert.equal((await carol.api.get('/api/transactions')).json.pagination.total, 0);
    await fund(system, carol.account, 4);
    const reply = await transfer(carol, carol.account, bob.account, 4, key);
    assert.equal(reply.status, 200);
    assert.equal(reply.headers['idempotent-replayed'], undefined);
  });

  test('replays even when the account has been frozen or emptied since', async () => {
    const key = randomUUID();
    const carol = await customer(server, system, { amount: 4 });
    const first = await transfer(carol, carol.account, bob.account, 4, key);
    await setStatus(carol.account, 'frozen');
    const again = await transfer(carol, carol.account, bob.account, 4, key);
    assert.deepEqual(again.json.transaction, first.json.transaction);
  });
});

describe('BANK-07, initial funds', () => {
  const give = (who, body) => who.api.post('/api/transactions/system/initial-funds', { body });
  const key = () => randomUUID();

  test('come from the treasury into the account', async () => {
    const carol = await customer(server, system, { amount: 0 });
    const idempotencyKey = key();
    const reply = await give(system, { toAccount: carol.account._id, amount: 99.99, idempotencyKey });
    assert.equal(reply.status, 200);
    assert.equal(reply.json.message, 'Initial funds added successfully');
    const { transaction } = reply.json;
    isTransaction(transaction, { type: 'initial_funds', toAccount: carol.account._id, amount: 99.99, idempotencyKey });
    assert.match(transaction.fromAccount, ID);
    assert.equal(await balanceOf(carol, carol.account), 99.99);
    fails(await carol.api.get(`/api/accounts/${transaction.fromAccount}`), 404, 'Account not found');
  });

  test('go to the oldest active account of a user', async () => {
    const carol = await register(server, { name: 'Carol' });
    const [oldest, next, newest] = [await openAccount(carol), await openAccount(carol), await openAccount(carol)];
    await setStatus(oldest, 'frozen');
    const reply = await give(system, { userId: carol.id, amount: 5, idempotencyKey: key() });
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.json.transaction.toAccount, next._id);
    assert.deepEqual([await balanceOf(carol, oldest), await balanceOf(carol, next), await balanceOf(carol, newest)],
      [0, 5, 0]);
    await setStatus(next, 'frozen');
    await setStatus(newest, 'frozen');
    fails(await give(system, { userId: carol.id, amount: 5, idempotencyKey: key() }), 400, 'Account is not active');
  });

  test('need exactly one target', () => moves(0, async () => {
    const both = { toAccount: bob.account._id, userId: bob.id };
    fails(await give(system, { ...both, amount: 1, idempotencyKey: key() }), 400, 'Validation failed', ['toAccount']);
    fails(await give(system, { amount: 1, idempotencyKey: key() }), 400, 'Validation failed', ['toAccount']);
    fails(await give(system, {}), 400, 'Validation failed', ['amount', 'idempotencyKey']);
  }));

  test('need a target that exists and is active', async () => {
    const dan = await register(server, { name: 'Dan' });
    const to = (target) => give(system, { ...target, amount: 1, idempotencyKey: key() });
    for (const bad of [UNKNOWN, 'x', bob.id]) fails(await to({ toAccount: bad }), 404, 'Account not found');
    for (const bad of [UNKNOWN, 'x', bob.account._id]) fails(await to({ userId: bad }), 404, 'User not found');
    fails(await to({ userId: dan.id }), 404, 'Account not found');
    fails(await to({ toAccount: frozen._id }), 400, 'Account is not active');
  });

  test('are not for everybody', () => moves(0, async () => {
    const body = { toAccount: bob.account._id, amount: 1, idempotencyKey: key() };
    fails(await give(bob, body), 403, 'Only the system user can inject funds');
    fails(await give({ api: api(server) }, body), 401, 'Unauthorized');
  }));

  test('are repeated by key like transfers, in one range of keys with them', async () => {
    const body = { toAccount: bob.account._id, amount: 2, idempotencyKey: key() };
    const first = await give(system, body);
    const again = await give(system, body);
    assert.equal(again.headers['idempotent-replayed'], 'true');
    assert.deepEqual(again.json.transaction, first.json.transaction);
    fails(await give(system, { ...body, amount: 3 }), 409);
    fails(await give(system, { userId: bob.id, amount: 2, idempotencyKey: body.idempotencyKey }), 409);
    const account = await openAccount(system);
    fails(await transfer(system, account, bob.account, 2, body.idempotencyKey), 409);
  });
});
