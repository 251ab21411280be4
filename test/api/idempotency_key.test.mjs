// The key that keeps value from moving twice, as the header Idempotency-Key: BANK-06 and BANK-07 take it there or in
// the body, and it is one and the same key.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { raw } from '../lib/client.mjs';
import { audit, balanceOf, customer, systemUser } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

let server;
let system;
let ada;
let bob;
before(async () => {
  server = await startServer();
  system = await systemUser(server);
  ada = await customer(server, system, { name: 'Ada', amount: 1000 });
  bob = await customer(server, system, { name: 'Bob', amount: 0 });
});
after(async () => {
  await audit(server);
  await server.stop();
});

const DIFFERENT = 'idempotencyKey was already used with different data';
const doors = {
  'BANK-06': (header, key, amount = 1) => send(ada, '/api/transactions', header, {
    fromAccount: ada.account._id, toAccount: bob.account._id, amount, idempotencyKey: key,
  }),
  'BANK-07': (header, key, amount = 1) => send(system, '/api/transactions/system/initial-funds', header, {
    toAccount: bob.account._id, amount, idempotencyKey: key,
  }),
};
// A body of bytes: behind a text node would send the header in UTF-8 instead of byte by byte.
const send = (person, path, header, body) => person.api.post(path, {
  body: Buffer.from(JSON.stringify(body)), headers: header === undefined ? {} : { 'Idempotency-Key': header },
});

/** What Bob gets while `body` runs. */
async function gets(amount, body) {
  const before = await balanceOf(bob, bob.account);
  await body();
  assert.equal(await balanceOf(bob, bob.account), before + amount);
}

for (const [id, move] of Object.entries(doors)) {
  describe(`${id} with the header Idempotency-Key`, () => {
    test('needs no key in the body', () => gets(1, async () => {
      const key = randomUUID();
      const reply = await move(key);
      assert.equal(reply.status, 200, reply.text);
      assert.equal(reply.json.transaction.idempotencyKey, key);
    }));

    test('and the body\'s key are one key, wherever the repeat has it', () => gets(2, async () => {
      for (const [first, second] of [[[1, 0], [0, 1]], [[0, 1], [1, 1]]]) {
        const key = randomUUID();
        const at = ([header, body], amount) => move(header ? key : undefined, body ? key : undefined, amount);
        const done = await at(first);
        assert.equal(done.headers['idempotent-replayed'], undefined);
        const again = await at(second);
        assert.equal(again.headers['idempotent-replayed'], 'true');
        assert.deepEqual(again.json, { message: 'Transaction already processed', transaction: done.json.transaction });
        fails(await at(second, 2), 409, DIFFERENT);
      }
    }));

    test('must not contradict the body', () => gets(0, async () => {
      fails(await move('one key', 'another key'), 400, 'Validation failed', ['idempotencyKey']);
      fails(await move('one key', ''), 400, 'Validation failed', ['idempotencyKey']);
      fails(await move('one key', 5), 400, 'Validation failed', ['idempotencyKey']);
    }));

    test('is 1 to 128 characters', () => gets(1, async () => {
      fails(await move(''), 400, 'Validation failed', ['Idempotency-Key']);
      fails(await move('k'.repeat(129)), 400, 'Validation failed', ['Idempotency-Key']);
      fails(await move(undefined, undefined), 400, 'Validation failed', ['idempotencyKey']);
      const key = Buffer.from('ü'.repeat(128)).toString('latin1');
      assert.equal((await move(key)).json.transaction.idempotencyKey, 'ü'.repeat(128));
    }));
  });
}

test('a key sent twice is refused, on BANK-06 as on POINTS-09', async () => {
  const connection = await raw(server);
  for (const path of ['/api/transactions', '/api/points/admin/add']) {
    const body = JSON.stringify({ fromAccount: ada.account._id, toAccount: bob.account._id, amount: 1, reason: 'x',
      userId: ada.id });
    const token = path.endsWith('add') ? await adminToken() : ada.token;
    connection.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n` +
      'Content-Type: application/json\r\nIdempotency-Key: a\r\nidempotency-key: b\r\n' +
      `Content-Length: ${body.length}\r\n\r\n${body}`);
    const reply = await connection.reply();
    assert.equal(reply.status, 400, path);
    assert.deepEqual(JSON.parse(reply.text).errors, [{ field: 'Idempotency-Key', message: 'must be sent once only' }]);
  }
  connection.close();
});

async function adminToken() {
  const email = `admin.${randomUUID()}@example.com`;
  await server.command('user', 'add', '--email', email, '--password', 'admin password', '--role', 'admin');
  return (await server.command('token', '--email', email)).trim();
}
