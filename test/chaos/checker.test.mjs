// The history checker itself: whatever is tampered with, it must notice.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startHistory } from '../lib/history.mjs';
import { execute } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';

let server;
let history;
before(async () => {
  server = await startServer();
  history = await startHistory(server, { people: 3 });
  history.load(4);
  await history.progress(100);
  await history.check();
});
after(async () => {
  await history?.end();
  await server?.stop();
});

/** Does something to what is checked, sees the check fail with `fault`, and undoes it. */
async function notices(tamper, undo, fault) {
  await tamper();
  try {
    await assert.rejects(history.check(), fault);
  } finally {
    await undo();
  }
  await history.check();
}

const withKeys = (sql) => () => execute(server.database, `SET session_replication_role = replica; ${sql}`);
const someKey = () => [...history.operations.keys()][50];

describe('the history checker notices', () => {
  test('an acknowledged transfer that is lost', async () => {
    const key = someKey();
    await notices(
      withKeys(`CREATE TABLE lost AS SELECT * FROM transfer WHERE idem_key = '${key}';
        DELETE FROM transfer WHERE idem_key = '${key}'`),
      withKeys('INSERT INTO transfer SELECT * FROM lost; DROP TABLE lost'),
      new RegExp(`${key} was acknowledged and is lost`));
  });

  test('one that came twice', async () => {
    await notices(
      withKeys(`INSERT INTO transfer (id, posting, kind, debit, credit, amount, idem_key)
        SELECT 9999999, 9999999, kind, debit, credit, amount, idem_key FROM transfer WHERE idem_key = '${someKey()}'`),
      withKeys('DELETE FROM transfer WHERE id = 9999999'), /is a double/);
  });

  test('one that nobody asked for, and one that moved something else', async () => {
    await notices(
      withKeys(`INSERT INTO transfer (id, posting, kind, debit, credit, amount, idem_key)
        SELECT 9999999, 9999999, kind, debit, credit, amount, 'no such key' FROM transfer
        WHERE idem_key = '${someKey()}'`),
      withKeys('DELETE FROM transfer WHERE id = 9999999'), /was asked for by nobody/);
    await notices(
      withKeys(`UPDATE transfer SET amount = amount + 1 WHERE idem_key = '${someKey()}'`),
      withKeys(`UPDATE transfer SET amount = amount - 1 WHERE idem_key = '${someKey()}'`), /strictly deep-equal/);
  });

  test('a balance in the tables that is not the sum', async () => {
    const { number } = history.people[1];
    await notices(withKeys(`UPDATE account SET balance = balance + 100 WHERE id = ${number}`),
      withKeys(`UPDATE account SET balance = balance - 100 WHERE id = ${number}`), /the balance of .* in the tables/);
  });

  test('an event that is missing, that came twice, or before another, or is not true', async () => {
    const [follower] = history.followers;
    const events = [...follower.seen];
    const undo = () => { follower.seen = [...events]; };
    await notices(() => follower.seen.splice(5, 1), undo, /got \d+ after \d+/);
    await notices(() => follower.seen.splice(5, 0, events[5]), undo, /got \d+ after \d+/);
    await notices(() => follower.seen.splice(5, 2, events[6], events[5]), undo, /got \d+ after \d+/);
    const untrue = { ...events[5], data: { ...events[5].data, balance: 7 } };
    await notices(() => follower.seen.splice(5, 1, untrue), undo, /event \d+/);
    await notices(() => follower.seen.shift(), undo, /got \d+ after \d+/);
  });

  test('an answer that must not be', async () => {
    await notices(() => history.wrong.push('500'), () => history.wrong.splice(0), /500/);
  });
});
