// Pictures that no row names: of an upload that died half-way, of a former one whose removal did not happen. They are
// removed by whichever process is there; those that a row names, or that are still on their way, are not.
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { blocked, cutBlocked, holding } from '../lib/blocked.mjs';
import { execute, query } from '../lib/pg.mjs';
import { png, send, upload } from '../lib/pictures.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { signUp } from '../lib/userstate.mjs';
import { until } from '../lib/wait.mjs';

const FOLDER = 'resources/user_profile_img';
let server;
let other;     // another process on the same database and files
let ada;
before(async () => { server = await startServer(); ada = await signUp(server); });
after(async () => {
  await other?.stop();
  await server?.stop();
});

const files = () => readdirSync(path.join(server.dataDir, FOLDER)).sort();
const rows = () => query(server.database, 'SELECT * FROM picture_removals ORDER BY id');
const dueNow = () => execute(server.database, 'UPDATE picture_removals SET next_try_at = now()');
const lockOf = (person) => holding(server.database,
  `SELECT id FROM users WHERE username = '${person.username}' FOR UPDATE`);
const pictureOf = async (person) => (await person.api.get('/user/profile')).json.profile_img;
const settled = () => until(async () => (await rows()).length === 0, 'nothing to be left to remove');

test('killed between the file and its row: the file is removed, the former picture stays', async () => {
  const former = await upload(ada, png(10, 10));
  const lock = await lockOf(ada);
  const sending = send(ada, png(20, 20)).catch(() => 'cut off');
  await blocked(server.database, 'kept AS');
  assert.equal(files().length, 2, 'it is written already');
  await server.kill();
  assert.equal(await sending, 'cut off');
  await cutBlocked(server.database);
  await lock.end();
  await server.start();
  const [left] = await rows();
  assert.ok(files().includes(path.basename(left.key)), 'it is there still, and will be due');
  assert.ok(Date.parse(left.next_try_at) > Date.now() + 500_000, 'when no upload can be under way any more');
  // What the killed process had written of another one.
  writeFileSync(path.join(server.dataDir, FOLDER, `.${path.basename(left.key)}.4711.tmp`), 'half of it');
  await dueNow();
  await execute(server.database, `INSERT INTO picture_removals (key) VALUES ('${left.key}')`);
  await server.restart();
  await settled();
  assert.deepEqual(files(), [path.basename(former)]);
  assert.equal(await pictureOf(ada), former);
});

test('killed between the row and the removal of the former one: that is removed', async () => {
  const former = await upload(ada, png(10, 10));
  await settled();
  // Whoever takes removals waits here.
  await execute(server.database, `
    CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END $$;
    CREATE TRIGGER hold_up BEFORE UPDATE ON picture_removals FOR EACH ROW EXECUTE FUNCTION hold_up()`);
  const lock = await holding(server.database, 'SELECT pg_advisory_xact_lock(1)');
  const newer = await upload(ada, png(20, 20));
  await blocked(server.database, 'taken AS');
  assert.deepEqual(files(), [former, newer].map((where) => path.basename(where)).sort());
  await server.kill();
  await cutBlocked(server.database);
  await lock.end();
  await execute(server.database, 'DROP TRIGGER hold_up ON picture_removals');
  await server.start();
  await settled();
  assert.deepEqual(files(), [path.basename(newer)]);
  assert.equal(await pictureOf(ada), newer);
});

/** The other process has something to remove, and so looks at the table. */
async function otherLooks() {
  const ben = await signUp(other);
  const [first, second] = [await upload(ben, png(10, 10)), await upload(ben, png(11, 11))];
  await until(() => !files().includes(path.basename(first)), 'the other process to have removed its own');
  return second;
}

test('one on its way is not removed by another process', async () => {
  other = await startServer({ database: server.database, env: { TALLY_DATA_DIR: server.dataDir } });
  other.dataDir = server.dataDir;   // where its mails lie
  const lock = await lockOf(ada);
  const sending = send(ada, png(30, 30));
  await blocked(server.database, 'kept AS');
  await otherLooks();
  assert.equal((await rows()).length, 1, 'announced');
  await lock.end();
  const reply = await sending;
  assert.equal(reply.status, 200, reply.text);
  await settled();
  assert.ok(files().includes(path.basename(reply.json.profile_img)));
  assert.equal(await pictureOf(ada), reply.json.profile_img);
});

test('one that took so long that its removal has begun is not entered', async () => {
  const former = await pictureOf(ada);
  const lock = await lockOf(ada);
  const sending = send(ada, png(40, 40));
  await blocked(server.database, 'kept AS');
  await dueNow();
  await otherLooks();
  await settled();
  await lock.end();
  fails(await sending, 503, 'Service temporarily unavailable');
  await settled();
  assert.equal(await pictureOf(ada), former);
  assert.ok(files().includes(path.basename(former)));
  assert.equal(files().length, 3, 'hers, and one of each test\'s other person');
});

test('a file that cannot be removed is tried again, given up and named in the log', async () => {
  // Not a key of this store: nobody can be asked.
  await execute(server.database, `INSERT INTO picture_removals (key, attempts)
    VALUES ('avatars/0123', 3), ('${FOLDER}/../x', 3)`);
  await server.restart();
  await until(async () => (await rows()).filter(({ status }) => status === 'given_up').length === 2,
    'both to be given up');
  await server.logged('picture', 'given_up');
});
