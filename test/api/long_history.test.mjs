// A history of thousands of transactions: the total costs what has come since it was counted last, and stays exact; the
// pages hold every transaction once, also where two processes have committed in another order than they began.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { customer, openAccount, systemUser, transfer } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';

const MOST_BEHIND = 1000;   // so many transfers may lie behind the mark before the one who counts writes it further
let server;
let ada;
let bob;
let second;                 // a further account of Ada's
let sent = 0;               // from Ada's first account

before(async () => {
  server = await startServer();
  const system = await systemUser(server);
  [ada, bob] = [await customer(server, system, { amount: 5000 }), await customer(server, system, { amount: 0 })];
  second = await openAccount(ada);
});
after(() => server?.stop());

async function pay(count, to) {
  for (let rest = count; rest > 0; rest -= 100) {
    const some = Array.from({ length: Math.min(rest, 100) }, () => transfer(ada, ada.account, to, 1));
    const replies = await Promise.all(some);
    for (const reply of replies) assert.equal(reply.status, 200, reply.text);
  }
  sent += count;
}
const totalOf = async (person, where = '') => {
  const reply = await person.api.get(`/api/transactions?limit=1${where}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.pagination.total;
};
const marks = async () => Number((await query(server.database, 'SELECT count(*) AS n FROM transfer_tally'))[0].n);

describe('the total of BANK-22', () => {
  const own = 30;

  test('is counted while the history is short, and no mark is written', async () => {
    await pay(own, second);
    assert.equal(await totalOf(ada), own + 1);
    assert.equal(await marks(), 0);
  });

  test('is exact beyond it, for each side and each account, and the same the second time', async () => {
    await pay(MOST_BEHIND + 200, bob.account);
    for (const time of ['counted', 'from the mark']) {
      assert.equal(await totalOf(ada), sent + 1, `${time}: between two own accounts once`);
      assert.equal(await totalOf(ada, `&account=${ada.account._id}`), sent + 1, time);
      assert.equal(await totalOf(ada, `&account=${second._id}`), own, `${time}: of one account, its credits are there`);
      assert.equal(await totalOf(bob), MOST_BEHIND + 200, time);
    }
    assert.equal(await marks(), 2, 'one for Ada, one for Bob; her second account has too few');
  });

  test('goes on from the mark: what lies before it is not counted again', async () => {
    await pay(7, second);
    assert.equal(await totalOf(ada), sent + 1);
    assert.equal(await totalOf(ada, `&account=${second._id}`), own + 7);
    await execute(server.database, `UPDATE transfer_tally SET kinds = jsonb_set(kinds, '{bank.transfer,n}', '5000')
      WHERE kinds ? 'bank.initial_funds'`);
    assert.equal(await totalOf(ada), 5000 + 7 + 1, 'the mark is believed, and the seven behind it are added');
    await execute(server.database, 'DELETE FROM transfer_tally');
    assert.equal(await totalOf(ada), sent + 1, 'without a mark all is counted');
  });

  test('is right for many who ask at once while money moves', async () => {
    const paying = pay(MOST_BEHIND + 200, bob.account);
    const totals = await Promise.all(Array.from({ length: 20 }, () => totalOf(bob)));
    await paying;
    for (const total of totals) assert.ok(total >= MOST_BEHIND + 200 && total <= 2 * (MOST_BEHIND + 200), `${total}`);
    assert.equal(await totalOf(bob), 2 * (MOST_BEHIND + 200));
    assert.equal(await totalOf(ada), sent + 1);
  });
});

describe('the pages of BANK-22', () => {
  test('hold every transaction once when the clock and the order of an account disagree', async () => {
    // Of Bob's newest five, the third began after the first: what two processes at the same account can do.
    await execute(server.database, `WITH newest AS (
        SELECT id, row_number() OVER (ORDER BY credit_version DESC) AS n FROM transfer
        WHERE credit = (SELECT credit FROM transfer GROUP BY 1 ORDER BY count(*) DESC LIMIT 1)
        ORDER BY credit_version DESC LIMIT 5)
      UPDATE transfer t SET created_at = now() + interval '1 second' * CASE n WHEN 3 THEN 10 ELSE 6 - n END
      FROM newest WHERE newest.id = t.id`);
    const idsOf = async (query) =>
      (await bob.api.get(`/api/transactions?${query}`)).json.transactions.map(({ _id }) => _id);
    const five = await idsOf('limit=5');
    const singly = [];
    for (let page = 1; page <= 5; page++) singly.push(...await idsOf(`limit=1&page=${page}`));
    assert.deepEqual(singly, five);
    assert.equal(new Set(singly).size, 5);
  });
});
