// The list of what is built, against what is served, both ways; and each endpoint's example and reply in
// /openapi.json against what the server really takes and answers. Each surface has a file in surfaces/:
// `built` (id, method and path as in the contract's route index; hidden: the content type of what the
// document does not show, and status: what somebody gets who has nothing in hand, when it is not 200; door: who may
// call it, see doors.test.mjs) and `recipes` (who calls an endpoint, and what in its example must be of this
// installation, or its form's body and headers; {}: anybody, the example as it is). A new endpoint enters both, and
// tests that name it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { customer, logIn, systemUser } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';

const folder = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const lists = path.join(folder, 'surfaces');
const surfaces = await Promise.all(readdirSync(lists).sort().map((name) => import(path.join(lists, name))));
const built = surfaces.flatMap((surface) => surface.built);

let server;
let open;      // the same database, with the doors of TALLY_OPEN
let document;
const people = {};
before(async () => {
  server = await startServer({ env: { XENDIT_CALLBACK_TOKEN: 'callback token' } });
  open = await startServer({ database: server.database, env: { TALLY_OPEN: '1', TALLY_DATA_DIR: server.dataDir } });
  people.nobody = { api: api(server) };
  people.system = await systemUser(server);
  people.ada = await customer(server, people.system, { amount: 1000 });
  people.bob = await customer(server, people.system, { amount: 0 });
  const who = { email: 'admin@example.com', password: 'admin password' };
  await server.command('user', 'add', '--email', who.email, '--password', who.password, '--role', 'admin');
  people.admin = await logIn(server, who);
  const key = await server.command('apikey', 'add', '--holder', 'service', '--scope',
    'userstate,points,system,rewards');
  people.key = { api: api(server, { basic: `service:${key.trim().split(/\s+/).pop()}` }) };
  people.payer = { api: api(open) };
  people.provider = { api: api(server, { headers: { 'x-callback-token': 'callback token' } }) };
  document = (await people.nobody.api.get('/openapi.json')).json;
});
after(async () => {
  await open?.stop();
  await server?.stop();
});

function* operations() {
  for (const [template, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const colons = template.replace(/\{(\w+)\}/g, ':$1');
      yield { id: operation.operationId, method: method.toUpperCase(), path: colons, operation };
    }
  }
}

describe('what is served', () => {
  const row = ({ id, method, path: where }) => `${id} ${method} ${where}`;

  test('is what is built, and nothing else', () => {
    const served = [...operations()].map(row).sort();
    assert.deepEqual(served, built.filter(({ hidden }) => !hidden).map(row).sort());
  });

  test('and what the document does not show is there all the same', async () => {
    for (const { id, method, path: where, hidden, status = 200 } of built) {
      if (!hidden) continue;
      const reply = await people.nobody.api.request(method, where);
      assert.equal(reply.status, status, id);
      assert.ok(reply.headers['content-type'].startsWith(hidden), `${id}: ${reply.headers['content-type']}`);
    }
  });

  test('has tests: every id is named in a file beside this one', () => {
    const own = path.basename(new URL(import.meta.url).pathname);
    const files = readdirSync(folder).filter((name) => name.endsWith('.test.mjs') && name !== own);
    const texts = files.map((name) => readFileSync(path.join(folder, name), 'utf8'));
    const named = new Set();
    // "BANK-06" names one, "BANK-20, 21, 26" three.
    for (const [, surface, numbers] of texts.join().matchAll(/\b([A-Z]+)-(\d\d(?:(?:,| and) \d\d\b)*)/g)) {
      for (const number of numbers.match(/\d\d/g)) named.add(`${surface}-${number}`);
    }
    // An id without a number (OPS-OPENAPI) is named as it is.
    const isNamed = (id) => named.has(/^[A-Z]+-\d+/.exec(id)?.[0]) || texts.some((text) => text.includes(id));
    const untested = built.filter(({ id, hidden }) => !hidden && !isNamed(id));
    assert.deepEqual(untested.map(({ id }) => id), []);
  });
});

describe('the document', () => {
  test('is OpenAPI 3.1 and complete in itself', () => {
    assert.match(document.openapi, /^3\.1\./);
    const text = JSON.stringify(document);
    for (const [, name] of text.matchAll(/"\$ref":"#\/components\/([^"]+)"/g)) {
      const [kind, key] = name.split('/');
      assert.ok(document.components[kind][key], name);
    }
    for (const { id, operation } of operations()) {
      assert.ok(operation.summary, `${id} has a summary`);
      assert.ok(operation.responses['503'], `${id} may be busy`);
      for (const requirement of operation.security) {
        for (const scheme of Object.keys(requirement)) assert.ok(document.components.securitySchemes[scheme], scheme);
      }
    }
  });
});

/** The value has the schema's shape: no member is missing, and none is there that the document does not name. */
function fits(schema, value, where) {
  if (!schema.type) return;
  const type = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  assert.ok([schema.type].flat().includes(type), `${where} is ${type}, the document says ${schema.type}`);
  if (type === 'array') value.forEach((item, n) => fits(schema.items, item, `${where}[${n}]`));
  if (schema.format === 'date-time') assert.ok(!Number.isNaN(Date.parse(value)), `${where}: ${value}`);
  // An object without members in the example is a free one.
  if (type !== 'object' || !Object.keys(schema.properties).length) return;
  assert.deepEqual(Object.keys(value).sort(), Object.keys(schema.properties).sort(), where);
  for (const [name, member] of Object.entries(value)) fits(schema.properties[name], member, `${where}.${name}`);
}



test('every endpoint takes its example and answers in its shape', async (t) => {
  const recipes = Object.assign({}, ...surfaces.map((surface) => surface.recipes({ people, server })));
  const listed = new Set(Object.keys(recipes));
  for (const { id, method, path: where, operation } of operations()) {
    await t.test(id, async () => {
      assert.ok(listed.delete(id), `${id} needs a recipe`);
      const { as = 'nobody', params = () => ({}), body = () => ({}), query = () => ({}), leadsTo, form } = recipes[id];
      const values = await params();
      const target = where.replace(/:(\w+)/g, (_, name) => values[name] ?? assert.fail(`${id}: which ${name}?`));
      const example = operation.requestBody?.content['application/json']?.example;
      if (operation.requestBody) assert.ok(example ?? form, `${id} has an example`);
      const options = example ? { body: { ...example, ...await body() } } : form?.() ?? {};
      const search = new URLSearchParams(await query()).toString();
      const reply = await people[as].api.request(method, search ? `${target}?${search}` : target, options);
      const status = Object.keys(operation.responses).find((code) => code < 400);
      assert.equal(String(reply.status), status, reply.text);
      if (leadsTo) {
        assert.match(reply.headers.location, leadsTo);
        return;
      }
      const [type] = Object.keys(operation.responses[status].content ?? {});
      assert.ok(type, `${id} shows its reply`);
      assert.equal(reply.headers['content-type'].split(';')[0], type);
      const content = operation.responses[status].content[type];
      if (type !== 'application/json') return;
      fits(content.schema, content.example, 'the example');
      fits(content.schema, reply.json, 'the reply');
    });
  }
  assert.deepEqual([...listed], [], 'recipes for what is not served');
});
