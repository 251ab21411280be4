// What a referrer sees and shares: POINTS-03 (whom he has brought), POINTS-05 (the board), POINTS-07 (his code), and
// POINTS-08 (the short link).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { audit } from '../lib/people.mjs';
import { execute, query } from '../lib/pg.mjs';
import { keyFor, pointsPerson, told } from '../lib/points.mjs';
import { linkOf, mine, signUp, verify } from '../lib/referrals.mjs';
import { startServer } from '../lib/server.mjs';
import { fails, TIME } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const CODE = '/api/points/generate-referral-code';

let server;
let service;
before(async () => {
  const env = { SHORT_LINK_BASE: 'https://amn.gg/', FRONTEND_URL: 'https://front.example/app/' };
  server = await startServer({ env });
  service = await keyFor(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

describe('POINTS-03, whom I have brought', () => {
  test('is empty at first, and needs a token', async () => {
    assert.deepEqual(await told(await signUp(server), 'referrals'), { referrals: [] });
    fails(await api(server).get('/api/points/referrals'), 401, 'Unauthorized');
  });

  test('newest first: pending without a name for the public, completed with id and points', async () => {
    const ada = await signUp(server);
    const bob = await signUp(server, { name: 'Bob Ray', code: ada.code });
    await signUp(server, { name: 'Eve Lee', code: ada.code });
    await verify(server, bob);
    const { referrals } = await told(ada, 'referrals');
    const [eves, bobs] = referrals.map(({ joinedAt }) => joinedAt);
    assert.match(eves, TIME);
    assert.ok(bobs <= eves);
    assert.deepEqual(referrals, [
      { userId: null, name: 'Eve Lee', joinedAt: eves, pointsEarned: 0, status: 'pending' },
      { userId: bob.id, name: 'Bob Ray', joinedAt: bobs, pointsEarned: 50, status: 'completed' },
    ]);
  });
});

describe('POINTS-05, the board', () => {
  const board = async (query = '') => (await told(watcher, `leaderboard${query}`)).entries;
  let watcher;
  let people;
  before(async () => {
    watcher = await signUp(server, { name: 'Watcher' });
    await execute(server.database, 'DELETE FROM referrals; SELECT referral_rebuild();');
    people = [];
    for (const name of ['Ada', 'Bob', 'Cyd', 'Dan']) people.push(await signUp(server, { name }));   // oldest first
    for (const one of people) {
      const rows = await query(server.database, `SELECT id FROM users WHERE email = '${one.email}'`);
      one.number = rows[0].id;
    }
  });

  const brings = async (person, n) => {
    const brought = await Promise.all(Array.from({ length: n }, () => signUp(server, { code: person.code })));
    await Promise.all(brought.map((one) => verify(server, one)));
  };
  const entry = ({ id, name }, referrals, pointsEarned) =>
    ({ userId: id, name, avatar: null, referrals, pointsEarned });

  test('is empty while nobody has brought anybody', async () => {
    await signUp(server, { code: people[0].code });      // pending ones do not count
    for (const period of ['all', 'month', 'week']) assert.deepEqual(await board(`?period=${period}`), []);
  });

  test('is by referrals, then by points of that type, then oldest user first', async () => {
    const [a, b, c, d] = people;
    await brings(d, 3);
    await Promise.all([brings(b, 1), brings(c, 1), brings(a, 1)]);
    const body = { userId: c.id, type: 'referral', amount: 7 };
    assert.equal((await service.post('/internal/points/earn', { body })).status, 200);
    // Points of another type, or without a referral, do not bring one up.
    await service.post('/internal/points/earn', { body: { userId: b.id, type: 'review', amount: 500 } });
    await service.post('/internal/points/earn', { body: { userId: watcher.id, type: 'referral', amount: 500 } });
    const expected = [entry(d, 3, 150), entry(c, 1, 57), entry(a, 1, 50), entry(b, 1, 50)];
    for (const period of ['', '?period=all', '?period=month', '?period=week']) {
      assert.deepEqual(await board(period), expected, period);
    }
    assert.deepEqual(await board('?limit=2'), expected.slice(0, 2));
    await execute(server.database, `UPDATE users SET avatar_url = 'https://e.example/d.png' WHERE id = ${d.number}`);
    assert.equal((await board())[0].avatar, 'https://e.example/d.png');
  });

  test('forgets after 30 and 7 days, to the second, and not for ever', async () => {
    const [a, b, c, d] = people;
    const age = (person, days, seconds) => execute(server.database, `UPDATE referral_scores
      SET scored_at = now() - interval '${days} days ${seconds} seconds' WHERE user_id = ${person.number}`);
    await age(a, 6, 86_300);
    assert.equal((await board('?period=week')).length, 4);
    await age(a, 7, 1);
    await age(c, 29, 86_300);
    await age(d, 30, 1);
    const names = async (period) => (await board(`?period=${period}`)).map(({ name }) => name);
    assert.deepEqual(await names('week'), [b.name]);
    assert.deepEqual(await names('month'), [c.name, a.name, b.name]);
    assert.deepEqual(await names('all'), [d.name, c.name, a.name, b.name]);
    await brings(a, 1);
    assert.deepEqual(await board('?period=week&limit=1'), [entry(a, 1, 50)]);
    assert.deepEqual(await board('?period=month&limit=1'), [entry(a, 2, 100)]);
  });

  test('says the same when it is made anew from what happened', async () => {
    await execute(server.database, `UPDATE referrals SET completed_at = now() - interval '40 days' WHERE referrer_id IN
      (SELECT user_id FROM referral_totals t WHERE period = 'all' AND referrals = 3)`);
    const before = await Promise.all(['all', 'month'].map((period) => board(`?period=${period}`)));
    await execute(server.database, 'SELECT referral_rebuild()');
    assert.deepEqual(await Promise.all(['all', 'month'].map((period) => board(`?period=${period}`))), before);
  });

  test('is right for many who look while many come', async () => {
    const eve = await signUp(server, { name: 'Eve' });
    const brought = await Promise.all(Array.from({ length: 12 }, () => signUp(server, { code: eve.code })));
    const links = await Promise.all(brought.map((one) => linkOf(server, one)));
    await execute(server.database, `UPDATE referral_scores SET scored_at = now() - interval '8 days'`);
    const looks = Array.from({ length: 12 }, () => board('?period=week'));
    await Promise.all(links.map((token) => api(server).post('/api/auth/verify-email', { body: { token } })));
    await Promise.all(looks);
    assert.deepEqual(await board('?period=week'), [entry(eve, 12, 600)]);
  });

  test('leaves out who has been erased', async () => {
    const [first] = await board();
    await execute(server.database, `UPDATE users SET status = 'deleted' WHERE username = (SELECT username FROM users
      JOIN referral_totals ON user_id = users.id AND period = 'all' ORDER BY referrals DESC, points DESC LIMIT 1)`);
    assert.notEqual((await board())[0].userId, first.userId);
  });

  test('takes 1 to 100 entries of the three periods', async () => {
    for (const limit of ['0', '101', '-1', 'x', '1.5']) {
      fails(await watcher.api.get(`/api/points/leaderboard?limit=${limit}`), 400, undefined, ['limit']);
    }
    fails(await watcher.api.get('/api/points/leaderboard?period=year'), 400, undefined, ['period']);
    fails(await api(server).get('/api/points/leaderboard'), 401, 'Unauthorized');
    assert.ok((await board('?limit=100')).length > 0);
  });
});

describe('POINTS-07, my code', () => {
  test('is the one I have, with its link, whatever the body', async () => {
    const ada = await signUp(server);
    for (const options of [undefined, { body: {} }, { body: { force: false } }]) {
      const reply = await ada.api.post(CODE, options);
      assert.equal(reply.status, 200, reply.text);
      assert.deepEqual(reply.json, {
        success: true, data: { referralCode: ada.code, link: `https://amn.gg/r/${ada.code}` },
      });
    }
  });

  test('is a new one when forced; the old one brings nobody any more, past referrals stay', async () => {
    const ada = await signUp(server);
    const bob = await signUp(server, { code: ada.code });
    const { json: { data } } = await ada.api.post(CODE, { body: { force: true } });
    assert.match(data.referralCode, /^[A-Z0-9]{8}$/);
    assert.notEqual(data.referralCode, ada.code);
    assert.equal(data.link, `https://amn.gg/r/${data.referralCode}`);
    assert.equal((await mine(ada)).referralCode, data.referralCode);
    const late = { name: 'Late', email: `late.${process.pid}@example.com`, password: 'correct horse' };
    fails(await api(server).post('/api/auth/register', { body: { ...late, referralCode: ada.code } }), 400,
      'Referral code not found');
    await signUp(server, { code: data.referralCode.toLowerCase() });
    assert.equal((await mine(ada)).referralsCount, 2);
    await verify(server, bob);
    assert.equal((await mine(ada)).balance, 50);
  });

  test('is made for who has none', async () => {
    const ada = await pointsPerson(server);
    await execute(server.database, `UPDATE users SET referral_code = NULL WHERE id = ${ada.number};
      SELECT tell(user_message(u)) FROM users u WHERE id = ${ada.number};`);
    await until(async () => (await told(ada, 'my-points')).referralCode === null, 'the code to be gone');
    const { json } = await ada.api.post(CODE);
    assert.match(json.data.referralCode, /^[A-Z0-9]{8}$/);
    assert.equal((await told(ada, 'my-points')).referralCode, json.data.referralCode);
  });

  test('stays one of a kind under twenty who force at once', async () => {
    const people = await Promise.all(Array.from({ length: 5 }, () => signUp(server)));
    const replies = await Promise.all(people.flatMap((one) => Array.from({ length: 4 }, () =>
      one.api.post(CODE, { body: { force: true } }))));
    const codes = replies.map(({ json }) => json.data.referralCode);
    assert.equal(new Set(codes).size, 20);
    for (const one of people) assert.ok(codes.includes((await mine(one)).referralCode));
  });

  test('is tried again when it is somebody else\'s by chance', async () => {
    const own = await startServer();
    const [ada, bob] = [await signUp(own), await signUp(own)];
    // The first three codes that are made from now on are Bob's.
    await execute(own.database, `CREATE SEQUENCE tried;
      ALTER FUNCTION new_referral_code() RENAME TO free_code;
      CREATE FUNCTION new_referral_code() RETURNS text LANGUAGE sql AS
        $$ SELECT CASE WHEN nextval('tried') <= 3 THEN '${bob.code}' ELSE free_code() END $$;`);
    const reply = await ada.api.post(CODE, { body: { force: true } });
    assert.equal(reply.status, 200, reply.text);
    assert.notEqual(reply.json.data.referralCode, bob.code);
    await own.stop();
  });

  test('force is true or false', async () => {
    const ada = await signUp(server);
    for (const force of ['true', 1, {}]) {
      fails(await ada.api.post(CODE, { body: { force } }), 400, undefined, ['force']);
    }
    fails(await api(server).post(CODE, { body: {} }), 401, 'Unauthorized');
    assert.equal((await mine(ada)).referralCode, ada.code);
  });
});

describe('POINTS-08, the short link', () => {
  test('leads to the sign-up page, whoever asks and whether the code exists or not', async () => {
    for (const code of ['ABCD1234', 'abcd1234', 'no_such-code', 'x', 'x'.repeat(64)]) {
      for (const method of ['get', 'head']) {
        const reply = await api(server)[method](`/r/${code}`);
        assert.equal(reply.status, 302, code);
        assert.equal(reply.headers.location, `https://front.example/app/auth/jwt/sign-up?ref=${code}`);
      }
    }
  });

  test('that cannot be a code is 404', async () => {
    const escaped = ['a%20b', '%00', '%ff', '%C3%A9', 'a%2Fb'];
    for (const code of ['x'.repeat(65), 'a.b', ...escaped, '', 'a/b']) {
      fails(await api(server).get(`/r/${code}`), 404, 'Not Found');
    }
  });

  test('leads to the server itself while there is no front end', async () => {
    const own = await startServer({ env: { TALLY_PUBLIC_URL: 'https://tally.example' } });
    const { headers } = await api(own).get('/r/ABCD1234');
    assert.equal(headers.location, 'https://tally.example/auth/jwt/sign-up?ref=ABCD1234');
    const ada = await signUp(own);
    assert.equal((await ada.api.post(CODE)).json.data.link, `https://tally.example/r/${ada.code}`);
    await own.stop();
  });
});
