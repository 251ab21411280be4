// Who may call what on the userstate surface: every endpoint of the server's own document (USR-…) with every kind of
// credential, with TALLY_OPEN and without. What the document says of an endpoint decides what is expected.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { logIn } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { signUp } from '../lib/userstate.mjs';

// What asks for a token of its own kind, which none of these credentials is.
const SPECIAL_TOKEN = ['USR-04', 'USR-06'];
// The examples' person waits for his proof, which is a 403 of another kind.
const NOBODY = { 'USR-01': { username: 'nobody', password: 'correct horse' } };
const CALLBACKS = ['USR-23', 'USR-66'];

for (const open of ['0', '1']) {
  describe(`with TALLY_OPEN=${open}`, () => {
    let server;
    let client;
    let operations;
    const who = {};
    before(async () => {
      server = await startServer({ env: { TALLY_OPEN: open } });
      client = api(server);
      const admin = { email: 'admin@example.com', password: 'admin password' };
      await server.command('user', 'add', '--email', admin.email, '--password', admin.password, '--role', 'admin');
      const key = async (holder, scope) => {
        const said = await server.command('apikey', 'add', '--holder', holder, '--scope', scope);
        return { basic: `${holder}:${said.trim().split(/\s+/).pop()}` };
      };
      who.nobody = async () => ({});
      who.customer = async () => ({ token: (await signUp(server)).token });   // a new one: some calls end his tokens
      who.admin = async () => ({ token: (await logIn(server, admin)).token });
      const keys = { with: await key('with', 'userstate'), without: await key('without', 'points,system,rewards') };
      who['a key'] = async () => keys.with;
      who['a key without the scope'] = async () => keys.without;
      who['a bad key'] = async () => ({ basic: 'nobody:nothing' });
      who['a bad token'] = async () => ({ token: 'nothing' });
      operations = [];
      for (const [path, methods] of Object.entries((await client.get('/openapi.json')).json.paths)) {
        for (const [method, operation] of Object.entries(methods)) {
          if (!/^USR-/.test(operation.operationId)) continue;
          const schemes = operation.security.flatMap((one) => Object.keys(one));
          operations.push({ id: operation.operationId, method: method.toUpperCase(), path: path.replace(/\{\w+\}/g,
            '999999'),
            kind: schemes.includes('bearer') ? 'bearer' : schemes.includes('basic') ? 'basic' : 'none',
            example: operation.requestBody?.content['application/json']?.example });
        }
      }
      // Whoever closes his account cannot go on.
      operations.sort((a, b) => (a.id === 'USR-11') - (b.id === 'USR-11'));
      assert.ok(operations.length > 30);
    });
    after(() => server?.stop());

    // The status that refuses, or 0: let in.
    const expected = {
      bearer: { nobody: 401, 'a key': 401, 'a key without the scope': 401, 'a bad key': 401, 'a bad token': 401 },
      basic: { nobody: 401, customer: 403, admin: 403, 'a key without the scope': 403, 'a bad key': 401,
        'a bad token': 401 },
      none: {},
    };

    for (const name of ['nobody', 'customer', 'admin', 'a key', 'a key without the scope', 'a bad key',
      'a bad token']) {
      test(name, async () => {
        for (const { id, method, path, kind, example } of operations) {
          const credential = await who[name]();
          const reply = await client.request(method, path, { body: NOBODY[id] ?? example, ...credential });
          const status = expected[kind][name] ?? 0;
          const what = `${id} as ${name}: ${reply.status} ${reply.text}`;
          if (SPECIAL_TOKEN.includes(id) || CALLBACKS.includes(id)) assert.equal(reply.status, 401, what);
          else if (status) assert.equal(reply.status, status, what);
          else assert.ok(![401, 403].includes(reply.status), what);
          if (reply.status === 401) fails(reply, 401, 'Unauthorized');
        }
      });
    }
  });
}
