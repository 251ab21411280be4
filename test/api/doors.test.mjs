// Who may call what: every endpoint of every surface with every kind of credential, with TALLY_OPEN and without. The
// endpoints are the server's own document and what the surfaces' lists say it does not show; each row of the lists
// names its `door`, out of the contract, and what somebody gets who comes in by it but is not the one whose thing it
// is: `other`, a status, when it is not the same. `again`: what a second call gets. `ends`: it ends the caller's token.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { customer, logIn, register, systemUser } from '../lib/people.mjs';
import { root } from '../lib/paths.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

const folder = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const lists = path.join(folder, 'surfaces');
const surfaces = await Promise.all(readdirSync(lists).sort().map((name) => import(path.join(lists, name))));
const built = surfaces.flatMap((surface) => surface.built);
const rows = new Map(built.map((row) => [row.id, row]));

const PASSWORD = 'correct horse';
const PEOPLE = ['the customer', 'another customer', 'an administrator', 'the system user'];
const KEYS = ['userstate', 'points', 'rewards', 'system'].map((scope) => `a key for ${scope}`);
const BAD = ['a bad token', 'a bad key'];
const ALL = [...PEOPLE, 'nobody', ...BAD, 'the provider', ...KEYS];

/** What each door says: a status that refuses, or 'in'. */
const doors = {
  anybody: () => 'in',
  customer: (who) => (PEOPLE.includes(who) ? 'in' : 401),
  optional: (who) => (PEOPLE.includes(who) || ['nobody', 'the provider'].includes(who) ? 'in' : 401),
  token: () => 401,      // one of its own kind, which none of these is
  callback: (who) => (who === 'the provider' ? 'in' : 401),
  sandbox: (who, open) => (open ? 'in' : 404),
  admin: (who) => (who === 'an administrator' ? 'in' : PEOPLE.includes(who) ? 403 : 401),
  system: (who) => (['the system user', 'a key for system'].includes(who) ? 'in' : known(who) ? 403 : 401),
  funds: (who, open) => (open && PEOPLE.includes(who) ? 'in' : doors.system(who)),
  'key points': (who) => (who === 'a key for points' ? 'in' : known(who) ? 403 : 401),
  'key userstate': (who) => (who === 'a key for userstate' ? 'in' : known(who) ? 403 : 401),
  rewards: (who, open) => {
    if (BAD.includes(who)) return 401;
    if (open || ['an administrator', 'a key for rewards'].includes(who)) return 'in';
    return known(who) ? 403 : 401;
  },
};
const known = (who) => PEOPLE.includes(who) || KEYS.includes(who);

// The examples' person does not exist, or waits for his proof: a refusal of another kind.
const WHO_LOGS_IN = ['USR-01', 'BANK-02'];

// Doors of other protocols, with tests of their own: sockets.test.mjs, push_door.test.mjs, socketio_door.test.mjs.
const SOCKETS = ['REWARDS-WS', 'SIO-POST'];

test('every endpoint of the source has a door in the lists', () => {
  const sources = readdirSync(path.join(root, 'domain'), { recursive: true })
    .filter((name) => name.endsWith('.c'));
  const ids = sources.flatMap((name) => [...readFileSync(path.join(root, 'domain', name), 'utf8')
    .matchAll(/\.id = "([A-Z]+-[A-Z0-9-]+)"/g)].map(([, id]) => id));
  assert.ok(ids.length > 80);
  assert.deepEqual([...new Set(ids)].filter((id) => !SOCKETS.includes(id) && !doors[rows.get(id)?.door]), []);
  assert.deepEqual(built.map(({ id }) => id).filter((id) => !ids.includes(id)), []);
});

/** A server with all of them, and what the recipes of the lists need. */
async function establish(open) {
  const env = { XENDIT_CALLBACK_TOKEN: 'callback token', TALLY_OPEN: open ? '1' : '0' };
  const server = await startServer({ env });
  const sandbox = await startServer({ database: server.database,
    env: { TALLY_OPEN: '1', TALLY_DATA_DIR: server.dataDir } });
  const key = async (scope) => {
    const said = await server.command('apikey', 'add', '--holder', scope.replaceAll(',', '-'), '--scope', scope);
    return api(server, { basic: `${scope.replaceAll(',', '-')}:${said.trim().split(/\s+/).pop()}` });
  };
  let count = 0;
  const ofRole = async (role) => {
    const who = { email: `${role}.${++count}@example.com`, password: PASSWORD };
    await server.command('user', 'add', '--email', who.email, '--password', PASSWORD, '--role', role);
    return logIn(server, who);
  };
  const people = { nobody: { api: api(server) }, payer: { api: api(sandbox) } };
  people.system = await systemUser(server);
  people.ada = await customer(server, people.system, { amount: 1000 });
  people.bob = await customer(server, people.system, { amount: 0 });
  people.admin = await ofRole('admin');
  people.key = { api: await key('userstate,points,rewards,system') };
  people.provider = { api: api(server, { headers: { 'x-callback-token': 'callback token' } }) };
  const fresh = { 'the customer': () => register(server), 'another customer': () => register(server),
    'an administrator': () => ofRole('admin'), 'the system user': () => ofRole('system') };
  const who = { nobody: people.nobody, 'the provider': people.provider,
    'a bad token': { api: api(server, { token: 'x' }) },
    'a bad key': { api: api(server, { basic: 'nobody:nothing' }) } };
  for (const [name, make] of Object.entries(fresh)) who[name] = await make();
  for (const name of KEYS) who[name] = { api: await key(name.split(' ').pop()) };
  return { server, sandbox, people, who, fresh };
}

/** What the server's document says, and the lists besides. */
async function routesOf(client) {
  const { paths } = (await client.get('/openapi.json')).json;
  const shown = Object.entries(paths).flatMap(([template, methods]) => Object.entries(methods)
    .map(([method, operation]) => ({
      id: operation.operationId, method: method.toUpperCase(), path: template.replace(/\{(\w+)\}/g, ':$1'),
      success: Number(Object.keys(operation.responses).find((status) => status < 400)),
      example: operation.requestBody?.content['application/json']?.example,
    })));
  return shown.concat(built.filter(({ hidden }) => hidden).map((row) => ({ ...row, success: row.status ?? 200 })));
}

for (const open of [false, true]) {
  describe(`with TALLY_OPEN=${Number(open)}`, () => {
    let house;
    let routes;
    let recipes;
    const been = new Set();
    before(async () => {
      house = await establish(open);
      recipes = Object.assign({}, ...surfaces.map((surface) => surface.recipes(house)));
      routes = await routesOf(house.people.nobody.api);
    });
    after(async () => {
      await house?.sandbox.stop();
      await house?.server.stop();
    });

    /** Calls it with what belongs to the recipe's person; for who is refused anyway, with the bare example. */
    async function call(route, name, refused) {
      const { as = 'nobody', params, body, query, form } = (!refused && recipes[route.id]) || {};
      const values = await params?.() ?? {};
      const target = route.path.replace(/:(\w+)/g, (_, field) => values[field] ?? '999999');
      const search = new URLSearchParams(await query?.() ?? {}).toString();
      const options = form?.() ?? (route.example ? { body: { ...route.example, ...await body?.() } } : {});
      const own = name === 'the customer' && as !== 'nobody';
      const ends = rows.get(route.id).ends && house.fresh[name] && !refused;
      const caller = own ? house.people[as] : ends ? await house.fresh[name]() : house.who[name];
      return caller.api.request(route.method, search ? `${target}?${search}` : target, options);
    }

    /** Its success, or what it says to somebody else, or to the second. */
    function admitted({ id, success }, name) {
      const { door, other, again } = rows.get(id);
      const first = !been.has(id);
      been.add(id);
      if (again && !first) return again;
      return door === 'customer' && name !== 'the customer' ? other ?? success : success;
    }

    for (const name of ALL) {
      test(name, async () => {
        for (const route of routes) {
          const { door } = rows.get(route.id) ?? assert.fail(`${route.id} is in no list`);
          assert.ok(doors[door], `${route.id} has a door`);
          const says = doors[door](name, open);
          const refused = says !== 'in';
          // What anybody may do is done in other tests; here it counts that no credential shuts the door.
          const reply = await call(route, name, refused || door === 'anybody');
          const what = `${route.id} by ${name}: ${reply.status} ${reply.text}`;
          if (refused) assert.equal(reply.status, says, what);
          else if (door !== 'anybody') assert.equal(reply.status, admitted(route, name), what);
          else if (!WHO_LOGS_IN.includes(route.id)) assert.ok(![401, 403].includes(reply.status), what);
          if (refused && reply.headers['content-type'].startsWith('application/json')) fails(reply, says);
        }
      });
    }
  });
}
