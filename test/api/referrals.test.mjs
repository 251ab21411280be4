// Referrals: a person comes by another's code (BANK-01), proves his address (BANK-26), and the other one has his
// points, once, whatever happens in between.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { audit } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { linkOf, mine, signUp, verify } from '../lib/referrals.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, ID, TIME } from '../lib/shapes.mjs';
import { never, until } from '../lib/wait.mjs';

let server;
before(async () => { server = await startServer(); });
after(async () => {
  await audit(server);
  await server.stop();
});

/** What the tables say of everybody whom this person has brought. */
const rewards = (person) => query(server.database, `
  SELECT r.status, r.points_earned, t.kind, t.amount, t.memo, t.metadata
  FROM referrals r JOIN users u ON u.id = r.referrer_id LEFT JOIN transfer t ON t.posting = r.posting
  WHERE u.email = '${person.email}' ORDER BY r.id`);

describe('the reward for a referral', () => {
  test('comes when the e-mail is verified, not before', async () => {
    const ada = await signUp(server);
    const bob = await signUp(server, { name: 'Bob Ray', code: ada.code.toLowerCase() });
    assert.deepEqual(await mine(ada), { ...await mine(ada), balance: 0, lifetimePoints: 0, referralsCount: 1 });
    await verify(server, bob);
    const { balance, lifetimePoints, referralsCount } = await mine(ada);
    assert.deepEqual([balance, lifetimePoints, referralsCount], [50, 50, 1]);
    assert.deepEqual(await rewards(ada), [{
      status: 'completed', points_earned: 50, kind: 'points.referral', amount: 50, memo: 'Referral bonus',
      metadata: { referredUserId: bob.id, referredName: 'Bob Ray' },
    }]);
  });

  test('is told to the referrer: points-updated with the referred person', async () => {
    const ada = await signUp(server);
    const ws = await socket(server, { token: ada.token });
    await ws.next('hello');
    const bob = await signUp(server, { name: 'Bob Ray', code: ada.code });
    await verify(server, bob);
    const { data, stream, seq } = await ws.next('points-updated');
    assert.match(stream, ID);
    assert.equal(seq, 1);
    assert.match(data.transactionId, ID);
    assert.deepEqual(data, {
      program: 'points', userId: ada.id, username: data.username, reason: 'referral', delta: 50, balance: 50,
      lifetimePoints: 50, transactionId: data.transactionId, category: null, rewardType: null, referredUserId: bob.id,
    });
    await ws.close();
  });

  test('is one, though the link is used again and by many at once', async () => {
    const ada = await signUp(server);
    const bob = await signUp(server, { code: ada.code });
    const token = await linkOf(server, bob);
    const use = () => api(server).post('/api/auth/verify-email', { body: { token } });
    const replies = await Promise.all(Array.from({ length: 20 }, use));
    assert.equal(replies.filter(({ status }) => status === 200).length, 1);
    fails(await use(), 401);
    assert.equal((await mine(ada)).balance, 50);
  });

  test('comes for each of thirty who sign up and verify at once', async () => {
    const ada = await signUp(server);
    const people = await Promise.all(Array.from({ length: 30 }, () => signUp(server, { code: ada.code })));
    assert.equal((await mine(ada)).referralsCount, 30);
    await Promise.all(people.map((person) => verify(server, person)));
    assert.equal((await mine(ada)).balance, 1500);
    assert.equal((await rewards(ada)).filter(({ status }) => status === 'completed').length, 30);
    const levels = await query(server.database, `SELECT i.data FROM inbox i JOIN users u ON u.id = i.user_id
      WHERE u.email = '${ada.email}'`);
    assert.deepEqual(levels.map(({ data }) => [data.level.name, data.lifetimePoints]), [['silver', 1000]]);
  });
});

describe('nobody brings himself', () => {
  for (const [what, own, other] of [
    ['a +tag', (n) => `ada.${n}@example.com`, (n) => `ada.${n}+friend@example.com`],
    ['another tag', (n) => `ada.${n}+one@example.com`, (n) => `ada.${n}+two@example.com`],
    ['letter case', (n) => `eve.${n}+one@example.com`, (n) => `EVE.${n}@EXAMPLE.com`],
  ]) {
    test(`by ${what} in the e-mail address`, async () => {
      const n = `${process.pid}.${Math.random().toString(36).slice(2)}`;
      const ada = await signUp(server, { email: own(n) });
      const again = await signUp(server, { email: other(n), code: ada.code });
      await verify(server, again);
      assert.deepEqual([(await mine(ada)).balance, (await mine(ada)).referralsCount], [0, 0]);
    });
  }

  test('while a friend at the same address of another domain is somebody else', async () => {
    const n = `${process.pid}.${Math.random().toString(36).slice(2)}`;
    const ada = await signUp(server, { email: `ada.${n}@example.com` });
    await verify(server, await signUp(server, { email: `ada.${n}@example.org`, code: ada.code }));
    assert.equal((await mine(ada)).balance, 50);
  });

  test('what is one mailbox and what is not', async () => {
    for (const [address, mailbox] of [
      ['Ada@Example.com', 'ada@example.com'], ['ada+x@example.com', 'ada@example.com'],
      ['ada+@example.com', 'ada@example.com'], ['a.da+x+y@example.com', 'a.da@example.com'],
      ['+x@example.com', '+x@example.com'], ['ada@ex+am.com', 'ada@ex+am.com'],
    ]) {
      assert.deepEqual(await query(server.database, `SELECT mailbox_of('${address}')`), [{ mailbox_of: mailbox }]);
    }
  });

  // What the other surfaces call when a number or a Google identity is proved.
  const prove = (person, kind, value) => query(server.database, `SELECT identity_proved(id, '${kind}', '${value}')
    FROM users WHERE email = '${person.email}'`).then(([row]) => row.identity_proved);

  test('over two surfaces: a number that the referrer has proved before', async () => {
    const ada = await signUp(server);
    const again = await signUp(server, { code: ada.code });
    const number = `62811${process.pid}${Date.now()}`;
    assert.equal(await prove(ada, 'phone', number), false, 'she came by nobody');
    assert.equal((await mine(ada)).referralsCount, 1);
    assert.equal(await prove(again, 'phone', number), false, 'nothing is due');
    await until(async () => (await mine(ada)).referralsCount === 0, 'the referral to be taken back');
    await verify(server, again);
    assert.equal((await mine(ada)).balance, 0);
  });

  test('and one person is one reward, however many accounts he makes', async () => {
    const ada = await signUp(server);
    const bob = await signUp(server, { code: ada.code });
    const again = await signUp(server, { code: ada.code });
    const number = `62812${process.pid}${Date.now()}`;
    assert.equal(await prove(bob, 'phone', number), true, 'the first proof, of whatever kind');
    assert.equal(await prove(again, 'phone', number), false);
    await until(async () => (await mine(ada)).balance === 50, 'the reward, though no handler waited for it');
    await verify(server, bob);
    await verify(server, again);
    const { balance, referralsCount } = await mine(ada);
    assert.deepEqual([balance, referralsCount], [50, 1]);
  });
});

describe('nothing that is owed is lost', () => {
  test('when the server is killed between the verification and the reward', async () => {
    const ada = await signUp(server);
    const people = await Promise.all(Array.from({ length: 10 }, () => signUp(server, { code: ada.code })));
    const links = await Promise.all(people.map((person) => linkOf(server, person)));
    // The verification commits, the ledger does not: somebody holds the account that all rewards go to.
    const held = execute(server.database, `BEGIN;
      SELECT FROM account a JOIN users u ON u.id = a.owner_user_id WHERE u.email = '${ada.email}' FOR UPDATE OF a;
      SELECT pg_sleep(1.5); COMMIT;`);
    await until(async () => (await query(server.database, `SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
      WHERE a.query LIKE '%pg_sleep(1.5)%' AND l.relation = 'account'::regclass AND a.pid <> pg_backend_pid()`)).length,
    'the account to be held');
    const asked = links.map((token) => api(server).post('/api/auth/verify-email', { body: { token } }).catch(() => {}));
    await until(async () => (await query(server.database, `SELECT count(*) AS n FROM referrals r JOIN users u
      ON u.id = r.referrer_id WHERE u.email = '${ada.email}' AND r.due_at IS NOT NULL`))[0].n === 10, 'ten to be owed');
    await server.restart({ kill: true });
    await Promise.all(asked);
    await held;
    await until(async () => (await mine(ada)).balance === 500, 'all ten rewards');
    await never(async () => (await mine(ada)).balance !== 500, 'more than ten rewards');
    assert.equal((await rewards(ada)).filter(({ points_earned: points }) => points === 50).length, 10);
  });

  test('when it is killed again and again while people verify', async () => {
    const ada = await signUp(server);
    const people = await Promise.all(Array.from({ length: 24 }, () => signUp(server, { code: ada.code })));
    const links = await Promise.all(people.map((person) => linkOf(server, person)));
    for (let round = 0; round < 3; round++) {
      const asked = links.slice(round * 8, round * 8 + 8).map((token) =>
        api(server).post('/api/auth/verify-email', { body: { token } }).catch(() => {}));
      await Promise.race(asked);
      await server.restart({ kill: true });
      await Promise.all(asked);
    }
    // Whoever has no answer clicks again: used up means that it was heard.
    for (const token of links) {
      const { status } = await api(server).post('/api/auth/verify-email', { body: { token } });
      assert.ok(status === 200 || status === 401, `${status}`);
    }
    await until(async () => (await mine(ada)).balance === 24 * 50, 'every reward');
    await never(async () => (await mine(ada)).balance !== 24 * 50, 'more than every reward');
  });
});

test('two processes, and both see and pay the same, once', async () => {
  const other = await startServer({ database: server.database });
  const both = [server, other];
  const ada = await signUp(server);
  const there = { api: api(other, { token: ada.token }) };
  await until(async () => (await there.api.get('/api/points/my-points')).status === 200, 'both to know her');
  const people = await Promise.all(Array.from({ length: 20 }, (_, n) => signUp(both[n % 2], { code: ada.code })));
  const links = await Promise.all(people.map((person) => linkOf(both, person)));
  const replies = await Promise.all(links.flatMap((token) =>
    both.map((one) => api(one).post('/api/auth/verify-email', { body: { token } }))));
  assert.equal(replies.filter(({ status }) => status === 200).length, 20);
  for (const who of [ada, there]) await until(async () => (await mine(who)).balance === 1000, 'all rewards everywhere');
  await other.stop();
});

test('with TALLY_OPEN the reward comes with the registration, and verifying adds none', async () => {
  const open = await startServer({ env: { TALLY_OPEN: '1', POINTS_REFERRAL: '75' } });
  const ada = await signUp(open);
  const bob = await signUp(open, { code: ada.code });
  assert.equal((await mine(ada)).balance, 75);
  await verify(open, bob);
  await never(async () => (await mine(ada)).balance !== 75, 'a second reward');
  await audit(open);
  await open.stop();
});

test('with POINTS_REFERRAL=0 a referral completes for nothing', async () => {
  const thrifty = await startServer({ env: { POINTS_REFERRAL: '0' } });
  const ada = await signUp(thrifty);
  await verify(thrifty, await signUp(thrifty, { code: ada.code }));
  assert.equal((await mine(ada)).balance, 0);
  const rows = await query(thrifty.database, 'SELECT status, points_earned, posting FROM referrals');
  assert.deepEqual(rows, [{ status: 'completed', points_earned: 0, posting: null }]);
  await thrifty.stop();
});
