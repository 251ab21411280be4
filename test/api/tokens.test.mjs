// Who may call what: every endpoint that asks for a proof, with every proof that is none. The endpoints come from
// the server's own document, so a new one is in the matrix by itself; what may be called by whom beyond "a customer"
// stands in SPECIAL; what only a key may call says so itself. Two processes: what one of them revokes, the other must
// refuse, too.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { agentFor, api, socket } from '../lib/client.mjs';
import { customer, fund, logIn, register, systemUser } from '../lib/people.mjs';
import { execute } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { claimsOf, sign, unsigned } from '../lib/tokens.mjs';
import { until } from '../lib/wait.mjs';

const SECRET = 'the secret of this test, so that it can forge';
const OWN = 'http://tally.example';
// What an ordinary customer may not call, and the scope of a key that may.
const SPECIAL = {
  'BANK-07': { message: 'Only the system user can inject funds', flag: 'system', scope: 'system' },
  'BANK-25': { message: 'Forbidden', flag: 'system', scope: 'system' },
  'POINTS-09': { message: 'Admin access required', flag: 'admin' },
  ...Object.fromEntries(['01', '02', '03', '04', '05', '08', '09', '10', '11'].map((number) =>
    [`REW-${number}`, { message: 'Forbidden', flag: 'admin', scope: 'rewards' }])),
};

let server;
let everyone;
let ada;
let bob;
let system;
let admin;
let operations;
let processes;    // an agent for each of the two

before(async () => {
  server = await startServer({ workers: 2, env: { TALLY_JWT_SECRET: SECRET, TALLY_PUBLIC_URL: OWN } });
  everyone = api(server);
  system = await systemUser(server);
  [ada, bob] = [await customer(server, system, { amount: 5 }), await customer(server, system, { amount: 5 })];
  bob.transaction = await fund(system, bob.account, 1);
  const who = { email: 'admin@example.com', password: 'admin password' };
  await server.command('user', 'add', '--email', who.email, '--password', who.password, '--role', 'admin');
  admin = await logIn(server, who);
  operations = operationsOf((await everyone.get('/openapi.json')).json);
  processes = await oneAgentEach(2);
});
after(async () => {
  for (const agent of processes ?? []) agent.destroy();
  await server?.stop();
});

/** Those with a proof: { id, method, path, schemes, optional, example }. */
function operationsOf(document) {
  const found = [];
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!operation.security.length) continue;
      const schemes = operation.security.flatMap((one) => Object.keys(one));
      found.push({ id: operation.operationId, method: method.toUpperCase(), path, schemes,
        optional: operation.security.some((one) => Object.keys(one).length === 0),
        example: operation.requestBody?.content['application/json']?.example });
    }
  }
  return found;
}

const isForKeys = ({ schemes }) => schemes.join() === 'basic';

/** A request id begins with the mark of the process that gave it. */
async function oneAgentEach(count) {
  const agents = new Map();
  await until(async () => {
    const agent = agentFor(server.url, { maxSockets: 1 });
    const { headers } = await everyone.get('/health', { agent });
    const mark = headers['x-request-id'].slice(0, 8);
    if (agents.has(mark)) agent.destroy();
    else agents.set(mark, agent);
    return agents.size === count;
  }, 'a connection to each process');
  return [...agents.values()];
}

/** The operation as Bob would call it. */
function call(operation, options) {
  const id = operation.id === 'BANK-23' ? bob.transaction._id : bob.account._id;
  const path = operation.path.replace(/\{\w+\}/g, id);
  return everyone.request(operation.method, path, { body: operation.example, ...options });
}

async function everywhere(check) {
  for (const operation of operations) {
    for (const agent of processes) await check(operation, agent);
  }
}

/** Refused with 401 by every endpoint at every process, as Bearer and as cookie; and on the socket. */
async function isNoToken(token) {
  await everywhere(async (operation, agent) => {
    const what = `${operation.id} ${token.slice(0, 40)}`;
    const reply = await call(operation, { agent, token });
    assert.equal(reply.status, 401, `${what}: ${reply.status} ${reply.text}`);
    fails(reply, 401, 'Unauthorized');
    assert.match(reply.headers['www-authenticate'], /^Bearer/, what);
    if (!operation.schemes.includes('cookie') || /[^\w.-]/.test(token) || !token) return;
    fails(await call(operation, { agent, headers: { cookie: `token=${token}` } }), 401, 'Unauthorized');
  });
  const ws = await socket(server, { token });
  assert.equal((await ws.closed()).code, 4401, token);
}

test('the document has endpoints that ask for a proof, and says which proofs they take', () => {
  const ids = operations.map(({ id }) => id);
  for (const id of ['BANK-03', 'BANK-04', 'BANK-05', 'BANK-06', 'BANK-07', 'BANK-20', 'BANK-21', 'BANK-22', 'BANK-23',
    'BANK-24', 'BANK-25', 'POINTS-01', 'POINTS-09']) assert.ok(ids.includes(id), id);
  for (const { id, schemes, optional } of operations) {
    const keyOnly = isForKeys({ schemes });
    assert.ok(keyOnly || (schemes.includes('bearer') && schemes.includes('cookie')), id);
    assert.equal(schemes.includes('basic'), keyOnly || SPECIAL[id]?.scope !== undefined, id);
    assert.equal(optional, id === 'BANK-20', id);
  }
});

describe('without a token', () => {
  test('every endpoint is 401, but where it is optional', () => everywhere(async (operation, agent) => {
    const reply = await call(operation, { agent });
    if (operation.optional) assert.equal(reply.status, 200, operation.id);
    else fails(reply, 401, 'Unauthorized');
  }));
  test('whatever the body is', () => everywhere(async (operation, agent) => {
    if (operation.optional || operation.method === 'GET') return;
    for (const body of ['', '{', '[]', '{"amount":"x"}']) fails(await call(operation, { agent, body }), 401);
    fails(await call(operation, { agent, body: '<x/>', headers: { 'content-type': 'text/xml' } }), 401);
  }));
});

describe('a token that is none', () => {
  const now = () => Math.floor(Date.now() / 1000);
  const forged = (change, ...how) => sign({ ...claimsOf(bob.token), ...change }, SECRET, ...how);
  const tampered = (at) => {
    const parts = bob.token.split('.');
    parts[at] = (parts[at][0] === 'e' ? 'f' : 'e') + parts[at].slice(1);
    return parts.join('.');
  };
  const bad = {
    'is garbage': () => ['x', 'a.b.c', '..', '.', 'null', bob.token.slice(0, -1), `${bob.token}x`, `${bob.token}.x`,
      bob.token.split('.').slice(0, 2).join('.'), 'x'.repeat(5000), `${bob.token}=`],
    'has been tampered with': () => [0, 1, 2].map(tampered),
    'needs no signature': () => ['none', 'None', 'NONE', 'nOnE', 'HS256', '']
      .map((alg) => unsigned(claimsOf(bob.token), alg)),
    'says none and is signed': () => [forged({}, { alg: 'none' })],
    'is signed with another key': () => [sign(claimsOf(bob.token), 'another secret'), sign(claimsOf(bob.token), '')],
    'is of another algorithm': () => [{ alg: 'HS512' }, { alg: 'HS384' }, { hash: 'sha512' }, { alg: 'RS256' },
      { alg: 'hs256' }, { alg: 'HS512', hash: 'sha256' }].map((how) => forged({}, how)),
    'wants to be understood': () => [forged({}, { header: { crit: ['exp'] } })],
    'has expired': () => [forged({ exp: now() - 1 }), forged({ exp: 0 }), forged({ exp: -1 })],
    'never expires': () => [undefined, null, 'never', 1e300].map((exp) => forged({ exp })),
    'is not good yet': () => [forged({ nbf: now() + 3600 }), forged({ iat: now() + 3600 })],
    'is of the staff, or of no realm': () => ['staff', 'Customer', '', null, undefined, 1]
      .map((realm) => forged({ realm })),
    'is nobody\'s': () => [0, -1, 999_999_999, String(claimsOf(bob.token).user_id), null, undefined, 1.5]
      .map((user_id) => forged({ user_id, jti: '0'.repeat(24) })),
    'has no session': () => [undefined, null, '', 'x', 'Z'.repeat(24), 5].map((jti) => forged({ jti })),
  };
  for (const [what, tokens] of Object.entries(bad)) {
    test(what, async () => { for (const token of tokens()) await isNoToken(token); });
  }

  test('but one that another system made with the secret is one', async () => {
    const token = forged({}, { header: { kid: '1' } });
    for (const agent of processes) assert.equal((await everyone.get('/api/auth/me', { agent, token })).status, 200);
  });

  test('is no better in another scheme', () => everywhere(async (operation, agent) => {
    const { token } = bob;
    for (const authorization of [token, `Token ${token}`, 'Bearer', 'Bearer ', `Basic ${token}`, `bearer${token}`]) {
      const cookie = `token=${token}`;    // the header wins over it
      fails(await call(operation, { agent, headers: { authorization, cookie } }), 401, 'Unauthorized');
    }
  }));
});

describe('a token that was good', () => {
  const gone = (token) => until(async () => {
    const replies = await Promise.all(processes.map((agent) => everyone.get('/api/auth/me', { agent, token })));
    return replies.every(({ status }) => status === 401);
  }, 'the token to be void at both processes');

  test('is void after the logout, at every process; others of the user are not', async () => {
    const again = await logIn(server, bob);
    const [here] = processes;
    assert.equal((await everyone.post('/api/auth/logout', { agent: here, token: again.token })).status, 200);
    fails(await everyone.get('/api/auth/me', { agent: here, token: again.token }), 401, 'Unauthorized');
    await gone(again.token);
    await isNoToken(again.token);
    assert.equal((await bob.api.get('/api/auth/me')).status, 200);
  });

  for (const [what, change] of Object.entries({
    'the user has been disabled': "status = 'disabled'",
    'the password has changed since': "tokens_from = clock_timestamp() + interval '1 second'",
  })) {
    test(`is void when ${what}`, async () => {
      const carol = await register(server);
      const ws = await socket(server, { token: carol.token });
      await ws.next('hello');
      await execute(server.database, `WITH changed AS (
          UPDATE users SET ${change} WHERE email = '${carol.email}' RETURNING *)
        SELECT tell(user_message(changed::users)) FROM changed`);
      assert.equal((await ws.closed()).code, 4401);
      await gone(carol.token);
      await isNoToken(carol.token);
    });
  }
});

describe('an older word of a user, which comes after a newer one,', () => {
  // As the answer of a statement does that had read him before the change which the stream has brought.
  test('does not bring his tokens back', async () => {
    const [carol, dora] = [await register(server), await register(server)];
    const lines = ({ email }, later = '') => `CREATE TEMP TABLE was ON COMMIT DROP AS
        SELECT user_message(u) AS message FROM users u WHERE email = '${email}';
      UPDATE users SET status = 'disabled' WHERE email = '${email}';
      SELECT tell(user_message(u)) FROM users u WHERE email = '${email}'; ${later}`;
    await execute(server.database, `BEGIN; ${lines(carol, 'SELECT tell(message) FROM was;')} COMMIT;`);
    await execute(server.database, `BEGIN; ${lines(dora)} COMMIT;`);
    await until(async () => {   // what comes behind it is there at both processes
      const ask = (agent) => everyone.get('/api/auth/me', { agent, token: dora.token });
      return (await Promise.all(processes.map(ask))).every(({ status }) => status === 401);
    }, 'the next change to be known');
    await isNoToken(carol.token);
  });
});

describe('the token of somebody else', () => {
  test('shows and changes nothing of Bob\'s', () => everywhere(async (operation, agent) => {
    if (!operation.path.includes('{')) return;
    const reply = await call(operation, { agent, token: ada.token });
    assert.ok([403, 404].includes(reply.status), `${operation.id}: ${reply.status}`);
    fails(reply, reply.status);
    assert.ok(!reply.text.includes(bob.id) && !reply.text.includes(bob.account._id), operation.id);
  }));

  for (const [id, { message, flag }] of Object.entries(SPECIAL)) {
    test(`${id} is for ${flag} only`, async () => {
      const operation = operations.find((one) => one.id === id);
      const others = [ada, bob, flag === 'system' ? admin : system];
      for (const { token } of others) fails(await call(operation, { token }), 403, message);
      for (const body of ['{', '{}']) fails(await call(operation, { token: ada.token, body }), 403, message);
      const allowed = await call(operation, { token: flag === 'system' ? system.token : admin.token });
      assert.ok(![401, 403].includes(allowed.status), `${allowed.status} ${allowed.text}`);
    });
  }
});

describe('the cookie', () => {
  const cookie = () => ({ cookie: `a=b; token=${bob.token}; c=d` });
  const foreign = ['https://evil.example', 'null', `${OWN}.evil.example`, `${OWN}:8080`, 'https://tally.example',
    'http://127.0.0.1', 'http://127.0.0.1:1'];

  test('is a proof like the header', async () => {
    for (const agent of processes) {
      const reply = await everyone.get('/api/auth/me', { agent, headers: cookie() });
      assert.equal(reply.json.user._id, bob.id);
    }
  });

  test('proves nothing when a page of somebody else sends what changes something', () =>
    everywhere(async (operation, agent) => {
      if (operation.method === 'GET' || isForKeys(operation)) return;
      for (const origin of foreign) {
        fails(await call(operation, { agent, headers: { ...cookie(), origin } }), 403, 'Origin not allowed');
      }
    }));

  test('nor when it opens a socket', async () => {
    for (const origin of foreign) {
      const refused = ({ status, text }) => status === 403 && JSON.parse(text).message === 'Origin not allowed';
      await assert.rejects(socket(server, { headers: { ...cookie(), origin } }), refused, origin);
    }
  });

  test('is what that is about: a page cannot send the header by itself', async () => {
    const headers = { origin: foreign[0] };
    assert.equal((await everyone.post('/api/accounts', { token: bob.token, headers })).status, 201);
  });

  test('is good from pages of ours, and from no page at all', async () => {
    // Also when this browser knows the server by another name than the public one: then Origin and Host agree.
    for (const origin of [OWN, 'HTTP://Tally.Example:80', server.url]) {
      const ws = await socket(server, { headers: { ...cookie(), origin } });
      assert.equal((await ws.next('hello')).userId, bob.id, origin);
      ws.terminate();
    }
    for (const headers of [{ origin: OWN }, { origin: 'HTTP://Tally.Example:80' }, { origin: server.url }, {}]) {
      assert.equal((await everyone.post('/api/accounts', { headers: { ...cookie(), ...headers } })).status, 201);
    }
    for (const origin of foreign) {
      assert.equal((await everyone.get('/api/accounts', { headers: { ...cookie(), origin } })).status, 200);
    }
  });
});
