// BANK-06: idempotency keys are kept for good, also when the generation they were used in has long been closed: by the
// process that used them, by another one, and by one that was started later.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, test } from 'node:test';
import { blocked, holding } from '../lib/blocked.mjs';
import { api } from '../lib/client.mjs';
import { execute, query } from '../lib/pg.mjs';
import { audit, balanceOf, customer, systemUser, transfer } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

let first;
let second;
let ada;
let bob;
before(async () => {
  first = await startServer();
  second = await startServer({ database: first.database });
  const system = await systemUser(first);
  ada = await customer(first, system, { name: 'Ada', amount: 1000 });
  bob = await customer(first, system, { name: 'Bob', amount: 0 });
});
after(async () => {
  await audit(first);
  await first.stop();
  await second.stop();
});

const pay = (server, key, amount = 1) =>
  transfer({ ...ada, api: api(server, { token: ada.token }) }, ada.account, bob.account, amount, key);

async function used(server) {
  const key = randomUUID();
  const reply = await pay(server, key);
  assert.equal(reply.status, 200, reply.text);
  return { key, transaction: reply.json.transaction };
}

/** Every server answers with what became of the key, and moves nothing. */
async function remembered(servers, { key, transaction }) {
  const balance = await balanceOf(bob, bob.account);
  for (const server of servers) {
    const reply = await pay(server, key);
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['idempotent-replayed'], 'true');
    assert.deepEqual(reply.json.transaction, transaction);
    fails(await pay(server, key, 2), 409, 'idempotencyKey was already used with different data');
  }
  assert.equal(await balanceOf(bob, bob.account), balance);
}

const CLOSE = 'SELECT close_key_generation(max(number)) FROM key_generation';

async function close() {
  assert.equal((await execute(first.database, CLOSE)).trim(), 't');
}

async function figure(server, name) {
  const { text } = await api(server).get('/metrics');
  return Number(text.match(new RegExp(`^tally_ledger_key_${name} (\\d+)$`, 'm'))[1]);
}

/** The server knows all generations there are, and has a filter for each closed one. */
async function filtered(server) {
  await used(server);
  const [{ count }] = await query(server.database, 'SELECT count(*)::int FROM key_generation');
  await until(async () => await figure(server, 'generations_unfiltered') === 0, 'all filters');
  assert.equal(await figure(server, 'generations'), count);
}

test('a key is remembered when its generation has just been closed, and when filters answer for it', async () => {
  const keys = [];
  for (let n = 0; n < 5; n++) {
    keys.push(await used(n % 2 ? second : first));
    await close();
    for (const key of keys) await remembered([second, first], key);
  }
  for (const server of [first, second]) await filtered(server);
  for (const key of keys) await remembered([first, second], key);
});

test('a process that is started later reads the filters, and makes anew one that is damaged', async () => {
  const old = await used(first);
  await close();
  for (const server of [first, second]) await filtered(server);
  await execute(first.database, "UPDATE key_generation SET filter = '\\x0123' WHERE number = 0");
  const third = await startServer({ database: first.database });
  try {
    await remembered([third], old);
    await filtered(third);
    await remembered([third, second], old);
    await until(async () => (await query(first.database,
      'SELECT min(octet_length(filter)) AS least FROM key_generation WHERE closed_at IS NOT NULL'))[0].least > 1000,
    'the filter that was damaged to be kept anew');
  } finally {
    await third.stop();
  }
});

test('a generation stays open while a key may still be added to it', async () => {
  const held = await holding(first.database, "SELECT ledger_keys(max(number), '{}') FROM key_generation");
  try {
    assert.equal((await execute(first.database, CLOSE)).trim(), 'f');
    await used(second);
  } finally {
    await held.end();
  }
  await close();
  await assert.rejects(execute(first.database, "SELECT ledger_keys(max(number) - 1, '{}') FROM key_generation"),
    /TL004|is closed/);
});

// A sequence tells the number of the open generation at once, also what is rolled back then; the table decides.
const TOLD = 'SELECT last_value FROM key_generation_open';

test('a generation whose closing came to nothing stays open', async () => {
  const number = Number(await execute(first.database, TOLD));
  const held = await holding(first.database, CLOSE);
  const using = used(second);
  try {
    await blocked(first.database, 'WITH moved');
  } finally {
    await held.end();
  }
  const key = await using;
  assert.equal(Number(await execute(first.database, TOLD)), number + 1);
  await used(first);
  await remembered([first, second], key);
  await close();
  assert.equal(Number(await execute(first.database, TOLD)), number + 1);
  await remembered([first, second], key);
});

test('the sequence tells that no generation is open', async () => {
  const number = Number(await execute(first.database, TOLD));
  const nobody = 'UPDATE key_generation SET closed_at = now() WHERE closed_at IS NULL';
  assert.match(await execute(first.database, `BEGIN; ${nobody}; ${TOLD}; ROLLBACK`), /^-1$/m);
  await used(first);
  await execute(first.database, 'UPDATE key_generation SET number = number WHERE closed_at IS NULL');
  assert.equal(Number(await execute(first.database, TOLD)), number);
});

test('one key from everywhere is one transfer while generations are closed under it', async () => {
  const had = await balanceOf(bob, bob.account);
  const keys = Array.from({ length: 20 }, () => randomUUID());
  let done = false;
  const closing = (async () => {
    let count = 0;
    for (; !done; count++) await execute(first.database, CLOSE);
    return count;
  })();
  const replies = await Promise.all(Array.from({ length: 400 }, (_, n) => pay(n % 2 ? second : first, keys[n % 20])));
  done = true;
  assert.ok(await closing > 2);
  for (const reply of replies) assert.equal(reply.status, 200, reply.text);
  const firsts = replies.filter(({ headers }) => headers['idempotent-replayed'] !== 'true');
  assert.equal(firsts.length, 20);
  assert.equal(await balanceOf(bob, bob.account), had + 20);
});
