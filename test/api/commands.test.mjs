// The operator's commands: what each does, what it says when it is used wrongly, and how it ends:
// 0 done, 1 failed, 2 misused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { api, socket } from '../lib/client.mjs';
import { logIn } from '../lib/people.mjs';
import { run, sanitizerEnv, tallydPath } from '../lib/paths.mjs';
import { execute, freshDatabase, query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const NOWHERE = 'postgres:///none?host=/nonexistent';
const PASSWORD = 'correct horse';

let database;
let server;
let dir;
before(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'tally-commands.'));
  database = await freshDatabase();
  server = await startServer({ database });
});
after(async () => {
  await server.stop();
  rmSync(dir, { recursive: true });
});

/** tallyd with these arguments: { code, stdout, stderr, lines }. No sanitizer may have reported. */
async function tallyd(args, { env = {}, on = database } = {}) {
  const settings = {
    ...sanitizerEnv, TALLY_DATABASE_URL: on, TALLY_DATA_DIR: server.dataDir, TALLY_LOG_FORMAT: 'json',
    TALLY_JWT_SECRET: 'a secret of the tests, forty characters!', ...env,
  };
  const done = await run(tallydPath, args, { env: settings, cwd: dir });
  assert.doesNotMatch(done.stderr, /Sanitizer|runtime error|defect:/);
  return { ...done, lines: done.stdout.split('\n').filter(Boolean) };
}

async function does(args, options) {
  const done = await tallyd(args, options);
  assert.equal(done.code, 0, `${args.join(' ')}: ${done.code}\n${done.stdout}${done.stderr}`);
  assert.equal(done.stderr, '');
  return done;
}

/** It ends with this code, prints nothing for a program to take, and says this. */
async function refuses(code, args, said, options) {
  const done = await tallyd(args, options);
  assert.equal(done.code, code, `${args.join(' ')}: ${done.code}\n${done.stdout}${done.stderr}`);
  assert.equal(done.stdout, '');
  for (const text of [said].flat()) assert.match(done.stderr, text);
  return done;
}

describe('every command', () => {
  const connecting = [
    ['migrate'], ['seed'], ['audit'], ['user', 'add', '--email', 'a@b.co', '--password', PASSWORD],
    ['user', 'role', '--email', 'a@b.co', '--role', 'user'], ['apikey', 'add', '--holder', 'h', '--scope', 'system'],
    ['apikey', 'list'], ['apikey', 'revoke', '--holder', 'h'], ['token', '--email', 'a@b.co'],
  ];
  for (const args of connecting) {
    test(`${args.slice(0, 2).join(' ')} says when it cannot reach the database`, () =>
      refuses(1, args, /cannot connect to the database: .*TALLY_DATABASE_URL/, { on: NOWHERE }));

    test(`${args.slice(0, 2).join(' ')} refuses what it does not know by name`, () =>
      refuses(2, [...args, '--nonsense', 'x'], [/unknown option: --nonsense/, /options:/], { on: NOWHERE }));
  }

  test('needs the schema of this binary', async () => {
    const empty = await freshDatabase({ migrated: false });
    for (const args of connecting.slice(1)) {
      await refuses(1, args, /schema is version 0, this binary's is \d+: run tallyd migrate first/, { on: empty });
    }
  });

  for (const [args, said] of [
    [['nonsense'], /unknown command: nonsense/],
    [['migrate', 'now'], /unexpected argument: now/],
    [['user'], /user add, user role/],
    [['user', 'remove'], /user add, user role/],
    [['apikey'], /apikey add, apikey list, apikey revoke/],
    [['apikey', 'list', '--all', 'x'], /unknown option: --all/],
    [['user', 'add'], /--email is missing/],
    [['user', 'add', '--email', 'a@b.co'], /--password is missing/],
    [['user', 'add', '--email'], /--email needs a value/],
    [['user', 'add', '--email', '--password', 'x'], /--email needs a value/],
    [['user', 'add', '--email', 'a@b.co', '--email=c@d.co', '--password', PASSWORD], /--email is given twice/],
    [['user', 'add', '--email', 'nonsense', '--password', PASSWORD], /--email must be a valid e-mail address/],
    [['user', 'add', '--email', 'a@b.co', '--password', 'short'], /--password must be 8 to 128 characters/],
    [['user', 'add', '--email', 'a@b.co', '--password', PASSWORD, '--role', 'god'],
      /--role must be one of user, admin, system, agent/],
    [['user', 'role', '--email', 'a@b.co'], /--role is missing/],
    [['apikey', 'add', '--holder', 'h', '--scope', 'system,all'], /--scope must be one or more of/],
    [['apikey', 'add', '--holder', 'h', '--scope', ','], /--scope must be one or more of/],
    [['apikey', 'add', '--holder', 'a:b', '--scope', 'system'], /--holder must not contain a colon/],
    [['token', '--email', 'a@b.co', '--ttl', '0'], /--ttl must be at least 1/],
    [['token', '--email', 'a@b.co', '--ttl', '1h'], /--ttl must be a whole number/],
    [['pos-admin', 'add', '--email', 'a@b.co', '--password', PASSWORD], /comes with the point of sale/],
  ]) test(`${args.join(' ')} is misuse, and says why`, () => refuses(2, args, said, { on: NOWHERE }));

  test('stands in --help, with the settings', async () => {
    const { stdout } = await does(['--help']);
    for (const { 0: name, 1: verb } of [...connecting, ['check'], ['pos-admin']]) {
      assert.ok(stdout.includes(`tallyd ${name}${/^(user|apikey)$/.test(name) ? ` ${verb}` : ''}`), `${name} ${verb}`);
    }
    assert.match(stdout, /DATABASE_URL/);
    assert.match((await does(['version'])).stdout, /^tallyd \d+\.\d+\.\d+\n$/);
  });
});

describe('tallyd migrate', () => {
  test('prints what it applied; the second time there is nothing to do', async () => {
    const empty = await freshDatabase({ migrated: false });
    const { lines } = await does(['migrate'], { on: empty });
    assert.match(lines[0], /^applied 0001_ground$/);
    assert.ok(lines.every((line) => /^applied \d{4}_\w+$/.test(line)), lines.join());
    assert.match((await does(['migrate'], { on: empty })).stdout, /^nothing to do: the schema is version \d+\n$/);
  });

  test('refuses a database that is newer than the binary', async () => {
    const newer = await freshDatabase();
    await execute(newer, "INSERT INTO schema_migrations (version, name) VALUES (9999, '9999_tomorrow')");
    await refuses(1, ['migrate'], /newer/, { on: newer });
    await refuses(1, ['audit'], /schema is version 9999.*use a newer tallyd/, { on: newer });
  });
});

describe('tallyd check', () => {
  test('says that all is well', async () => assert.equal((await does(['check'])).stdout, 'all is well\n'));

  test('names each thing that is not', async () => {
    const empty = await freshDatabase({ migrated: false });
    const env = { TLS_CERT: '/nonexistent', TLS_KEY: '/nonexistent' };
    const bad = await tallyd(['check'], { on: empty, env });
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /^TLS_CERT, TLS_KEY: /m);
    assert.match(bad.stdout, /^schema version is 0, expected \d+: run the migrate command$/m);
    const away = await tallyd(['check'], { on: NOWHERE });
    assert.equal(away.code, 1);
    assert.match(away.stdout, /^TALLY_DATABASE_URL: cannot connect: /);
  });

  test('settings that make no sense end every command', () =>
    refuses(2, ['check'], /TALLY_PORT/, { env: { TALLY_PORT: 'x' } }));

  for (const proxies of ['10.0.0.0/8', 'proxy.example.com', '10.0.0.1,nonsense']) {
    test(`proxies that could never be one are refused: ${proxies}`, () =>
      refuses(2, ['check'], /TALLY_TRUSTED_PROXIES/, { env: { TALLY_TRUSTED_PROXIES: proxies } }));
  }

  test('addresses of proxies are taken', () =>
    does(['check'], { env: { TALLY_TRUSTED_PROXIES: '10.0.0.1, ::1' } }));

  // libpq quotes what it cannot read.
  const malformed = ['postgres://tally:hidden@[db', 'postgres://tally:hidden%zz@db/tally', 'host=db password=\'hidden'];
  for (const url of malformed) {
    test(`a malformed URL is refused without its password: ${url.slice(0, 9)}…`, async () => {
      const { stdout, stderr, code } = await tallyd(['check'], { on: url });
      assert.equal(code, 1);
      assert.match(stdout, /^TALLY_DATABASE_URL: .*malformed/m);
      assert.doesNotMatch(stdout + stderr, /hidden/);
    });
  }
});

describe('tallyd user', () => {
  test('add makes a person who can log in, verified, with points and a referral code', async () => {
    const options = ['--email', 'Ada.One@Example.com', '--password', PASSWORD, '--name', 'Ada de la Cruz'];
    const { stdout } = await does(['user', 'add', ...options]);
    const [, id, username] = /^id (\d+)\nusername (\S+)\n$/.exec(stdout);
    assert.equal(username, 'ada.one');
    const [row] = await query(database, `SELECT first_name, last_name, email, email_verified_at IS NOT NULL AS verified,
      is_admin, is_system, agent, length(referral_code) AS code,
      (SELECT count(*) FROM account WHERE owner_user_id = users.id AND kind = 'points') AS points
      FROM users WHERE id = ${id}`);
    assert.deepEqual(row, {
      first_name: 'Ada', last_name: 'de la Cruz', email: 'ada.one@example.com', verified: true,
      is_admin: false, is_system: false, agent: false, code: 8, points: 1,
    });
    assert.equal((await logIn(server, { email: 'ada.one@example.com', password: PASSWORD })).name, 'Ada de la Cruz');
  });

  test('add without a name takes it from the e-mail', async () => {
    const { stdout } = await does(['user', 'add', '--email=nameless@example.com', `--password=${PASSWORD}`]);
    const [, id] = /^id (\d+)/.exec(stdout);
    const [row] = await query(database, `SELECT first_name, last_name FROM users WHERE id = ${id}`);
    assert.deepEqual(row, { first_name: 'nameless', last_name: '' });
  });

  test('add refuses an e-mail that somebody has, in whatever case', async () => {
    await does(['user', 'add', '--email', 'taken@example.com', '--password', PASSWORD]);
    await refuses(1, ['user', 'add', '--email', 'TAKEN@example.com', '--password', PASSWORD],
      /already a user with the e-mail taken@example\.com/);
  });

  test('add finds a free username', async () => {
    const names = [];
    for (const host of ['a', 'b', 'c']) {
      const { stdout } = await does(['user', 'add', '--email', `same@${host}.example.com`, '--password', PASSWORD]);
      names.push(/username (\S+)/.exec(stdout)[1]);
    }
    assert.equal(new Set(names).size, 3);
    assert.equal(names[0], 'same');
  });

  test('role changes what a running server allows, at once', async () => {
    const email = 'boss@example.com';
    await does(['user', 'add', '--email', email, '--password', PASSWORD]);
    const token = (await does(['token', '--email', email])).stdout.trim();
    const ask = () => api(server).post('/api/points/admin/add', { token, body: {} });
    fails(await ask(), 403, 'Admin access required');
    assert.equal((await does(['user', 'role', '--email', email, '--role', 'admin'])).stdout, 'boss is admin\n');
    await until(async () => (await ask()).status === 400, 'the new role to count');
    await does(['user', 'role', '--email', email, '--role', 'agent']);
    await until(async () => (await ask()).status === 403, 'the old role to be gone');
    const [row] = await query(database, `SELECT agent, is_admin, is_system FROM users WHERE email = '${email}'`);
    assert.deepEqual(row, { agent: true, is_admin: false, is_system: false });
  });

  test('role of nobody fails', () =>
    refuses(1, ['user', 'role', '--email', 'no@body.example.com', '--role', 'admin'], /no user with the e-mail/));

  test('the password is neither printed nor stored', async () => {
    const secret = 'never to be seen anywhere';
    const args = ['user', 'add', '--email', 'quiet@example.com', '--password', secret];
    const { stdout, stderr } = await tallyd(args, { env: { TALLY_LOG_LEVEL: 'debug' } });
    assert.match(stdout, /^id \d+\nusername quiet\n$/);
    assert.ok(!stderr.includes(secret), stderr);
    const [{ password_hash: hash }] = await query(database, `SELECT password_hash FROM user_credentials c
      JOIN users u ON u.id = c.user_id WHERE email = 'quiet@example.com'`);
    assert.match(hash, /^\$argon2id\$/);
  });

  test('ps does not show the password while the command works', async () => {
    const mute = net.createServer().listen(0, '127.0.0.1');   // a database that never answers
    await new Promise((resolve) => { mute.on('listening', resolve); });
    for (const given of [['--password', 'secret words'], ['--password=secret words']]) {
      const url = `postgres://127.0.0.1:${mute.address().port}/tally`;
      const env = { ...process.env, ...sanitizerEnv, TALLY_DATABASE_URL: url };
      const args = ['user', 'add', '--email', 'ps@example.com', ...given];
      const child = spawn(tallydPath, args, { env, cwd: dir, stdio: 'ignore' });
      const ended = new Promise((resolve) => { child.on('close', resolve); });
      const shown = () => readFileSync(`/proc/${child.pid}/cmdline`, 'latin1');
      await until(() => shown().includes('*'.repeat('secret words'.length)), 'the password to be wiped');
      assert.ok(!shown().includes('secret words'));
      child.kill('SIGKILL');
      await ended;
    }
    mute.close();
  });
});

describe('tallyd token', () => {
  before(() => does(['user', 'add', '--email', 'tess@example.com', '--password', PASSWORD]));

  test('prints a token and nothing else; it is good at once', async () => {
    const { stdout } = await does(['token', '--email', 'Tess@example.com']);
    assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
    assert.equal((await api(server).get('/api/auth/me', { token: stdout.trim() })).status, 200);
  });

  test('lives as long as it was asked to', async () => {
    const token = (await does(['token', '--email', 'tess@example.com', '--ttl', '60'])).stdout.trim();
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    assert.equal(claims.exp - claims.iat, 60);
    assert.deepEqual([claims.user, claims.agent, claims.realm], ['tess', false, 'customer']);
    const [row] = await query(database, `SELECT surface, extract(epoch FROM expires_at)::bigint AS exp
      FROM sessions WHERE jti = '${claims.jti}'`);
    assert.deepEqual(row, { surface: 'command', exp: claims.exp });
  });

  test('of nobody, or of somebody who is disabled, is none', async () => {
    await refuses(1, ['token', '--email', 'no@body.example.com'], /no user with the e-mail/);
    await does(['user', 'add', '--email', 'gone@example.com', '--password', PASSWORD]);
    await execute(database, "UPDATE users SET status = 'disabled' WHERE email = 'gone@example.com'");
    await refuses(1, ['token', '--email', 'gone@example.com'], /is disabled/);
  });
});

describe('tallyd apikey', () => {
  const FUNDS = '/api/transactions/system/initial-funds';
  const ask = (basic) => api(server).post(FUNDS, { basic, body: {} });
  const lastWord = ({ stdout }) => stdout.trim().split(/\s/).at(-1);
  const add = async (holder, scope) => lastWord(await does(['apikey', 'add', '--holder', holder, '--scope', scope]));

  test('add prints the key as the last word, once; it opens what its scope opens', async () => {
    const { stdout } = await does(['apikey', 'add', '--holder', 'Till', '--scope', 'system,points,system']);
    const key = lastWord({ stdout });
    assert.match(key, /^[\w-]{43}$/);
    assert.match(stdout, /^holder Till\nscopes points,system\n/);
    assert.equal((await ask(`Till:${key}`)).status, 400);
    assert.equal((await ask(`till:${key}`)).status, 400);
    fails(await ask(`Till:${key}x`), 401, 'Unauthorized');
    const list = (await does(['apikey', 'list'])).stdout;
    assert.match(list, /^Till {2}points,system {2}active {2}made \S+Z {2}used /m);
    assert.ok(!list.includes(key));
    const [{ kept }] = await query(database, "SELECT key_hash::text AS kept FROM api_keys WHERE holder = 'Till'");
    assert.equal(kept.length, 2 + 64);
  });

  test('without the scope it is 403', async () => {
    const key = await add('shop', 'points');
    assert.equal((await ask(`shop:${key}`)).status, 403);
  });

  test('a holder has one key; revoked it ends at once, and there may be a new one', async () => {
    const first = await add('kiosk', 'system');
    await refuses(1, ['apikey', 'add', '--holder', 'KIOSK', '--scope', 'system'],
      /holds a key already: revoke it first/);
    assert.equal((await ask(`kiosk:${first}`)).status, 400);
    assert.equal((await does(['apikey', 'revoke', '--holder', 'Kiosk'])).stdout, 'revoked the key of kiosk\n');
    await until(async () => (await ask(`kiosk:${first}`)).status === 401, 'the key to be refused');
    await refuses(1, ['apikey', 'revoke', '--holder', 'kiosk'], /holds no active key/);
    assert.match((await does(['apikey', 'list'])).stdout, /^kiosk .*revoked/m);
    const second = await add('kiosk', 'system');
    assert.notEqual(second, first);
    await until(async () => (await ask(`kiosk:${second}`)).status === 400, 'the new key to be taken');
    fails(await ask(`kiosk:${first}`), 401, 'Unauthorized');
  });
});

describe('tallyd seed', () => {
  let sample;
  before(async () => { sample = await startServer(); });
  after(() => sample.stop());
  const seed = () => does(['seed'], { on: sample.database });

  test('makes people, a key, accounts and value while a server runs, which hears of it', async () => {
    const email = 'bob@example.com';
    await does(['user', 'add', '--email', email, '--password', 'password'], { on: sample.database });
    const ws = await socket(sample, { token: (await logIn(sample, { email, password: 'password' })).token });
    await ws.next('hello');
    const { lines } = await seed();
    assert.equal(lines.length, 27);
    assert.match(lines[0], /^\[ 1\/27\] made {3}system system@example\.com$/);
    assert.match(lines[3], /^\[ 4\/27\] found {2}user bob@example\.com$/);
    assert.ok(lines.every((line) => /^\[[ \d]\d\/27\] (made {3}|found {2})\S/.test(line)), lines.join('\n'));
    assert.equal((await ws.until((frame) => frame.data?.balance === 1097.75)).type, 'balance-updated');
    assert.equal((await ws.next('points-updated')).data.balance, 80);
    await ws.close();
  });

  test('is idempotent, and the ledger holds', async () => {
    const { lines } = await seed();
    assert.ok(lines.every((line) => /\] found /.test(line)), lines.join('\n'));
    const { stdout } = await does(['audit'], { on: sample.database });
    assert.match(stdout, /^the ledger holds$/m);
  });

  test('what it says works', async () => {
    const alice = await logIn(sample, { email: 'alice@example.com', password: 'password' });
    const { accounts } = (await alice.api.get('/api/accounts')).json;
    assert.deepEqual(accounts.map((account) => account.balance), [902.25]);
    assert.equal((await alice.api.get('/api/points/my-points')).json.data.balance, 320);
    const admin = await logIn(sample, { email: 'admin@example.com', password: 'password' });
    assert.equal((await admin.api.post('/api/points/admin/add', { body: {} })).status, 400);
    const system = await logIn(sample, { email: 'system@example.com', password: 'password' });
    for (const by of [{ token: system.token }, { basic: 'demo:demo' }]) {
      assert.equal((await api(sample).post('/api/transactions/system/initial-funds', { ...by, body: {} })).status, 400);
    }
  });

  test('the rewards members have earned and redeemed in several categories', async () => {
    const shop = api(sample, { basic: 'demo:demo' });
    const points = async (id) => (await shop.get(`/rewards/points/${id}`)).json.points;
    assert.deepEqual(await Promise.all(['user123', 'user456', 'user789'].map(points)), [720, 280, 240]);
    const { transactions } = (await shop.get('/rewards/transactions/user123')).json;
    assert.deepEqual(transactions.map(({ category, amount, pointsEarned }) => [category, amount, pointsEarned]),
      [['travel', 640, 300], ['dining', 48.5, 120], ['shopping', 100, 500]]);
    const figures = (await shop.get('/analytics/rewards-distribution')).json;
    assert.equal(figures.totalPointsOutstanding, 1240);
    assert.deepEqual(figures.byCategory.map(({ category }) => category),
      ['shopping', 'travel', 'dining', 'groceries', 'fuel']);
    assert.deepEqual(figures.byRewardType.map(({ rewardType }) => rewardType), ['voucher', 'discount']);
  });

  test('is refused in production', () => refuses(1, ['seed'], /refused/, { env: { NODE_ENV: 'production' } }));
});

describe('tallyd audit', () => {
  test('fails when the ledger does not hold, and says which rule', async () => {
    const broken = await freshDatabase();
    await does(['seed'], { on: broken });
    await execute(broken, `UPDATE account SET balance = balance + 1
      WHERE id = (SELECT min(id) FROM account WHERE kind = 'bank')`);
    const done = await tallyd(['audit'], { on: broken });
    assert.equal(done.code, 1);
    assert.match(done.stdout, /^FAILED every account is the sum of its transfers: 1 wrong/m);
    assert.match(done.stdout, /^the ledger does NOT hold$/m);
  });

  const MEMBER = `(SELECT a.id FROM account a JOIN reward_members m ON m.id = a.member_id
    WHERE m.member_id = 'user123')`;
  for (const [what, sql, said] of [
    ['a balance', `UPDATE account SET balance = balance + 1 WHERE id = ${MEMBER}`,
      /^FAILED every account is the sum of its transfers: 1 wrong/m],
    ['a running sum', "UPDATE reward_sums SET points = points + 1 WHERE kind = 'earn' AND name = 'fuel'",
      /^FAILED every rewards member .*: 1 wrong/m],
    ['a sum of nothing', "INSERT INTO reward_sums VALUES ('redeem', 'yacht', 0, 5, 1)",
      /^FAILED every rewards member .*: 1 wrong/m],
    ['a count', `UPDATE reward_counts SET redemptions = 0 WHERE account = ${MEMBER}`,
      /^FAILED every rewards member .*: 1 wrong/m],
    ['an account without a member', "INSERT INTO account (kind, asset) VALUES ('reward_points', 'RWD')",
      /^FAILED every rewards member .*: 2 wrong/m],
    ['a member without an account', "INSERT INTO reward_members (member_id, name, email) VALUES ('x', 'x', 'x')",
      /^FAILED every rewards member .*: 2 wrong/m],
  ]) {
    test(`fails when ${what} of the rewards members is wrong`, async () => {
      const broken = await freshDatabase();
      await does(['seed'], { on: broken });
      assert.match((await tallyd(['audit'], { on: broken })).stdout, /^ok +every rewards member/m);
      await execute(broken, sql);
      const done = await tallyd(['audit'], { on: broken });
      assert.equal(done.code, 1);
      assert.match(done.stdout, said);
    });
  }
});
