// What the server says about itself: REW-12 (the page at /api), REW-20 and OPS-OPENAPI (the document of the requests),
// OPS-ASYNCAPI (the document of the events), REW-21 (the page on which events arrive). That each endpoint is in the
// document, with an example that works, is endpoints.test.mjs; that events are what the document says,
// docs_events.test.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { fits } from '../lib/schema.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

let server;
let anybody;
let events;       // the AsyncAPI document
before(async () => {
  server = await startServer({ env: { TALLY_PUBLIC_URL: 'https://tally.example:8443' } });
  anybody = api(server);
  events = (await anybody.get('/asyncapi.json')).json;
});
after(() => server?.stop());

/** What a $ref of the document stands for. */
function resolve(document, ref) {
  assert.ok(ref.startsWith('#/'), ref);
  return ref.slice(2).split('/').reduce((at, name) => at?.[name], document);
}

function refsOf(value) {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => (name === '$ref' ? [member] : refsOf(member)));
}

describe('REW-12: the page', () => {
  test('stands at /api and /api/, and nowhere below', async () => {
    for (const path of ['/api', '/api/', '/api?x=1']) {
      const reply = await anybody.get(path);
      assert.equal(reply.status, 200, path);
      assert.equal(reply.headers['content-type'], 'text/html; charset=utf-8');
      assert.match(reply.text, /\/assets\/[0-9a-f]+\/swagger-ui\.js/);
    }
    for (const path of ['/api/docs', '/api/index.html', '/api//', '/API']) fails(await anybody.get(path), 404);
    fails(await anybody.post('/api'), 405);
  });
});

describe('REW-20: the document of the requests', () => {
  test('is the same under both of its names, and 304 to who has it', async () => {
    const [one, other] = [await anybody.get('/api-json'), await anybody.get('/openapi.json')];
    assert.equal(one.text, other.text);
    for (const { headers } of [one, other]) assert.equal(headers['content-type'], 'application/json; charset=utf-8');
    const again = await anybody.get('/api-json', { headers: { 'if-none-match': one.headers.etag } });
    assert.equal(again.status, 304);
  });

  test('groups the surfaces under the names of their codes, and says how to prove who calls', async () => {
    const { json } = await anybody.get('/api-json');
    const names = json.tags.map(({ name }) => name);
    const known = ['bank', 'points', 'rewards', 'userstate', 'fintech', 'pos', 'server'];
    assert.deepEqual(names, known.filter((name) => names.includes(name)), 'in this order');
    for (const name of ['bank', 'points', 'rewards', 'userstate', 'server']) assert.ok(names.includes(name), name);
    for (const tag of json.tags) assert.ok(tag.description.length > 10, tag.name);
    for (const methods of Object.values(json.paths)) {
      for (const { tags } of Object.values(methods)) {
        assert.ok(tags.length === 1 && names.includes(tags[0]), tags.join());
      }
    }
    assert.equal(json.paths['/api/transactions'].post.tags[0], 'bank');
    assert.equal(json.paths['/health'].get.tags[0], 'userstate');
    assert.deepEqual(Object.keys(json.components.securitySchemes), ['bearer', 'cookie', 'basic']);
    assert.equal(json.servers[0].url, 'https://tally.example:8443');
    const { content } = json.paths['/api'].get.responses['200'];
    assert.deepEqual(Object.keys(content), ['text/html']);
  });

  test('shows an error body for each refusal', async () => {
    const { json } = await anybody.get('/api-json');
    for (const [name, { content }] of Object.entries(json.components.responses)) {
      const { example } = content['application/json'];
      fits(json.components.schemas.Error, example, name);
    }
    const shown = json.components.responses.NotFound.content['application/json'].example;
    const real = (await anybody.get('/nowhere')).json;
    assert.deepEqual(shown, real);
  });

  test('has the very words in which an endpoint refuses', async () => {
    const password = 'correct horse';
    const person = { username: 'john_doe', password, email: 'john@example.com', full_name: 'John Doe' };
    const refused = [
      ['/api/auth/login', { email: 'nobody@example.com', password: 'x' }, 401],
      ['/api/auth/register', { name: 'A', email: 'a@example.com', password, referralCode: 'NO1' }, 400],
      ['/api/auth/verify-email', { token: 'x' }, 401],
      ['/auth', { username: 'nobody', password: 'x' }, 422],
      ['/signup', { ...person, mode: 'OTP' }, 400],
      ['/signup', { ...person, phone_number: 'abc' }, 400],
      ['/signup', { ...person, referral_code: 'NO1' }, 400],
      ['/verify-sign-up', { token: 'x' }, 401],
      ['/reset-pwd', { token: 'x', password: 'battery staple' }, 401],
    ];
    const { paths } = (await anybody.get('/api-json')).json;
    for (const [path, body, status] of refused) {
      const reply = await anybody.post(path, { body });
      fails(reply, status);
      const { json } = reply;
      const { examples } = paths[path].post.responses[status].content['application/json'];
      assert.deepEqual(examples[json.message]?.value, json, `${path}: ${json.message}`);
    }
    const { headers } = paths['/auth'].post.responses['429'];
    assert.equal(headers['Retry-After'].schema.type, 'integer');
  });
});

describe('REW-21: the page on which events arrive', () => {
  test('is there', async () => {
    const { text } = await anybody.get('/websocket-test.html');
    assert.match(text, /<title>tally: watch events arrive<\/title>/);
  });
});

describe('OPS-ASYNCAPI: the document of the events', () => {
  test('is AsyncAPI 3.0 and complete in itself', () => {
    assert.equal(events.asyncapi, '3.0.0');
    assert.ok(events.info.title && events.info.version);
    const refs = refsOf(events);
    assert.ok(refs.length > 50, `${refs.length} references`);
    for (const ref of refs) assert.ok(resolve(events, ref), ref);
    assert.equal(events.servers.websocket.host, 'tally.example:8443');
    assert.equal(events.servers.websocket.protocol, 'wss');
    assert.equal(events.servers.socketio.pathname, '/socket.io/');
  });

  test('has both doors, with every event of the contract', () => {
    const shown = Object.values(events.channels).map(({ address, servers: [{ $ref }], messages }) => ({
      door: `${$ref.split('/').pop()} ${address}`, names: Object.values(messages).map(({ name }) => name),
    }));
    const canonical = ['points-updated', 'level-up', 'payment-status', 'balance-updated'];
    const expected = {
      'websocket /ws': [...canonical, 'hello', 'resync', 'subscribed', 'auth', 'subscribe', 'unsubscribe', 'ping'],
      'websocket /rewards': ['pointsUpdated', 'rewardRedeemed'],
      'socketio /': ['level-up', 'referral-reward', 'payment:status:update', 'balance-updated', 'subscribe:payment',
        'unsubscribe:payment', 'join'],
      'socketio /rewards': ['pointsUpdated', 'rewardRedeemed', 'subscribe', 'unsubscribe'],
    };
    assert.deepEqual(shown.map(({ door }) => door).sort(), Object.keys(expected).sort());
    for (const { door, names } of shown) {
      for (const name of expected[door]) assert.ok(names.includes(name), `${name} on ${door}`);
    }
  });

  test('shows an example of each message, which is what its schema says', () => {
    for (const [key, { messages }] of Object.entries(events.channels)) {
      for (const [name, message] of Object.entries(messages)) {
        assert.match(name, /^[\w.-]+$/);
        assert.ok(message.summary.length > 5, name);
        fits(message.payload, message.examples[0].payload, `${key} ${name}`);
      }
    }
  });

  test('says of each message who sends it, and of each request what answers it', () => {
    const used = new Set();
    for (const [key, { action, channel, messages, reply }] of Object.entries(events.operations)) {
      assert.ok(action === 'send' || action === 'receive', key);
      for (const { $ref } of [...messages, ...reply?.messages ?? []]) {
        assert.ok($ref.startsWith(`${channel.$ref}/messages/`), `${key}: ${$ref}`);
        used.add($ref);
      }
      if (action === 'receive') assert.ok(reply?.messages.length, `${key} is answered`);
    }
    for (const [key, { messages }] of Object.entries(events.channels)) {
      for (const name of Object.keys(messages)) {
        assert.ok(used.has(`#/channels/${key}/messages/${name}`), `${key} ${name}`);
      }
    }
  });
});
