// What the document says that an endpoint of bank, points or rewards refuses beyond what all refuse alike, against what
// is really answered: every such message of /openapi.json is provoked here, and nothing is provoked that it does not
// name.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { earn, member, redeem, shop } from '../lib/members.mjs';
import { grant, keyFor, pointsPerson } from '../lib/points.mjs';
import { customer, openAccount, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

const CONFLICT = '409 idempotencyKey was already used with different data';
// The accounts and transactions of bank; points; rewards.
const COVERED = /^(BANK-(0[3-7]|2[2-5])|POINTS-\d\d|REW-\d\d)$/;
const NOBODY = '000000000000000000000000';

let server;
let ada;
let admin;
let key;
let store;
let rich;        // a member
let system;
let bob;         // with money on an account, and another account that is frozen
let carol;       // with money as well
let document;
before(async () => {
  server = await startServer();
  ada = await pointsPerson(server);
  admin = await pointsPerson(server, 'Admin', 'admin');
  key = await keyFor(server);
  store = await shop(server);
  rich = await member(store, { points: 1000 });
  await grant(admin, ada, 1000);
  system = await systemUser(server);
  bob = await customer(server, system);
  carol = await customer(server, system);
  bob.frozen = await openAccount(bob);
  await setStatus(bob.frozen, 'frozen');
  document = (await api(server).get('/openapi.json')).json;
});
after(() => server?.stop());

/** The second of two requests that differ and share a key. */
async function again(send) {
  const headers = { 'idempotency-key': randomUUID() };
  const first = await send(10, headers);
  assert.ok(first.status < 300, first.text);
  return send(11, headers);
}

const spend = (amount, more = {}, headers = {}) =>
  ada.api.post('/api/points/redeem', { body: { amount, ...more }, headers });
const give = (body, headers = {}) =>
  admin.api.post('/api/points/admin/add', { body: { userId: ada.id, amount: 1, reason: 'a test', ...body }, headers });
const report = (body, headers = {}) =>
  key.post('/internal/points/earn', { body: { userId: ada.id, type: 'review', amount: 1, ...body }, headers });
const reference = { referenceType: 'review', referenceId: 'twice' };

const setStatus = (account, status) =>
  system.api.patch(`/api/accounts/${account._id ?? account}/status`, { body: { status } });
const bring = (to, more = {}) => system.api.post('/api/transactions/system/initial-funds', {
  body: { ...to, amount: 1, idempotencyKey: randomUUID(), ...more } });
const own = (path) => ({
  '404 Account not found': () => bob.api.get(path(NOBODY)),
  '403 This account does not belong to you': () => bob.api.get(path(carol.account._id)),
});

const provoke = {
  'BANK-03': {
    '409 Account limit reached': async () => {
      for (;;) {
        const reply = await carol.api.post('/api/accounts');
        if (reply.status !== 201) return reply;
      }
    },
  },
  'BANK-05': own((id) => `/api/accounts/balance/${id}`),
  'BANK-06': {
    [CONFLICT]: () => again((n, { 'idempotency-key': name }) => transfer(bob, bob.account, carol.account, n, name)),
    '400 fromAccount and toAccount must be different': () => transfer(bob, bob.account, bob.account, 1),
    '404 Account not found': () => transfer(bob, bob.account, NOBODY, 1),
    '403 This account does not belong to you': () => transfer(bob, carol.account, bob.account, 1),
    '400 Account is not active': () => transfer(bob, bob.account, bob.frozen, 1),
    '400 Insufficient balance': () => transfer(bob, bob.account, carol.account, 1_000_000),
  },
  'BANK-07': {
    '404 Account not found': () => bring({ toAccount: NOBODY }),
    '404 User not found': () => bring({ userId: NOBODY }),
    '400 Account is not active': () => bring({ toAccount: bob.frozen._id }),
    [CONFLICT]: () => again((amount, { 'idempotency-key': idempotencyKey }) =>
      bring({ toAccount: bob.account._id }, { amount, idempotencyKey })),
  },
  'BANK-22': own((id) => `/api/transactions?account=${id}`),
  'BANK-23': { '404 Transaction not found': () => bob.api.get(`/api/transactions/${NOBODY}`) },
  'BANK-24': own((id) => `/api/accounts/${id}`),
  'BANK-25': {
    '404 Account not found': () => setStatus(NOBODY, 'frozen'),
    '400 Account balance must be 0 to close it': () => setStatus(bob.account, 'closed'),
  },
  'POINTS-06': {
    '400 Insufficient points balance': () => spend(1_000_000),
    '409 Redemption already claimed': async () => {
      await spend(10, { purchaseRequestId: 'order-1' });
      return spend(10, { purchaseRequestId: 'order-1' });
    },
    [CONFLICT]: () => again((amount, headers) => spend(amount, {}, headers)),
  },
  'POINTS-09': {
    '400 Balance would go below zero': () => give({ amount: -1_000_000 }),
    '404 User not found': () => give({ userId: NOBODY }),
    [CONFLICT]: () => again((amount, headers) => give({ amount }, headers)),
  },
  'POINTS-20': {
    '404 User not found': () => report({ userId: NOBODY }),
    '409 Reference was already used with different data': async () => {
      await report(reference);
      return report({ ...reference, amount: 2 });
    },
    [CONFLICT]: () => again((amount, headers) => report({ amount }, headers)),
  },
  'REW-01': {
    '400 User already exists': () =>
      store.post('/rewards/create-user', { body: { id: rich, name: 'Other', email: 'other@example.com' } }),
  },
  'REW-02': {
    '404 User not found': () => earn(store, 'nobody', 1),
    [CONFLICT]: () => again((points, headers) => earn(store, rich, points, { key: headers['idempotency-key'] })),
  },
  'REW-03': { '404 User not found': () => store.get('/rewards/points/nobody') },
  'REW-04': { '404 User not found': () => store.get('/rewards/transactions/nobody') },
  'REW-05': {
    '400 Insufficient points': () => redeem(store, rich, 1_000_000),
    '404 User not found': () => redeem(store, 'nobody', 100),
    [CONFLICT]: () => again((n, headers) => redeem(store, rich, 190 + n, { key: headers['idempotency-key'] })),
  },
  'REW-22': { '404 Reward option not found': () => store.get('/rewards/options/nothing') },
};

/** By operation: what it refuses in words of its own, "409 Redemption already claimed". */
function documented() {
  const shared = new Set(Object.values(document.components.responses)
    .map(({ content }) => content['application/json'].example.message));
  const found = {};
  for (const operation of Object.values(document.paths).flatMap((methods) => Object.values(methods))) {
    if (!COVERED.test(operation.operationId)) continue;
    for (const [status, { content }] of Object.entries(operation.responses)) {
      for (const [name, { value }] of Object.entries(content?.['application/json']?.examples ?? {})) {
        assert.equal(value.message, name);
        assert.equal(String(value.errorCode), status);
        if (!shared.has(name)) (found[operation.operationId] ??= []).push(`${status} ${name}`);
      }
    }
  }
  return found;
}

describe('what the document says is refused', () => {
  test('is what is provoked here', () => {
    const sorted = (lists) => Object.fromEntries(Object.entries(lists).map(([id, list]) => [id, [...list].sort()])
      .sort(([a], [b]) => a.localeCompare(b)));
    const provoked = Object.fromEntries(Object.entries(provoke).map(([id, ways]) => [id, Object.keys(ways)]));
    assert.deepEqual(sorted(documented()), sorted(provoked));
  });

  for (const [id, ways] of Object.entries(provoke)) {
    for (const [refusal, way] of Object.entries(ways)) {
      test(`${id} answers ${refusal}`, async () => {
        const [, status, message] = /^(\d{3}) (.*)$/.exec(refusal);
        fails(await way(), Number(status), message);
      });
    }
  }
});
