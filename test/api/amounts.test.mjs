// Bodies of BANK-06 as text, letter by letter: which amounts are amounts, and which JSON is no JSON. Whatever is
// refused has changed nothing.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { audit, balanceOf, customer, fund, systemUser } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

let server;
let system;
let ada;
let bob;
before(async () => {
  server = await startServer();
  system = await systemUser(server);
  ada = await customer(server, system, { amount: 1_000_000 });
  bob = await customer(server, system, { amount: 0 });
});
after(async () => {
  await audit(server);
  await server.stop();
});

const members = (amount, more = '') => `"fromAccount":"${ada.account._id}","toAccount":"${bob.account._id}",` +
  `"amount":${amount},"idempotencyKey":"${randomUUID()}"${more}`;
const send = (body) => ada.api.post('/api/transactions', { body });
const cents = async (person) => Math.round(await balanceOf(person, person.account) * 100);

async function changesNothing(body) {
  const before = [await cents(ada), await cents(bob)];
  await body();
  assert.deepEqual([await cents(ada), await cents(bob)], before);
}

describe('an amount', () => {
  // As written → what is moved.
  const good = { '1e2': 100, '1E+2': 100, '100e-2': 1, '0.01': 0.01, '0.1e1': 1, '1.0': 1, '1.10': 1.1, '2.500000': 2.5,
    '0.000001e6': 1, '12345.67': 12345.67, [`1.${'0'.repeat(300)}`]: 1, [`0.${'0'.repeat(300)}1e301`]: 1 };
  for (const [text, amount] of Object.entries(good)) {
    test(`${text.slice(0, 30)} is ${amount}`, async () => {
      const before = [await cents(ada), await cents(bob)];
      const reply = await send(`{${members(text)}}`);
      assert.equal(reply.status, 200, reply.text);
      assert.equal(reply.json.transaction.amount, amount);
      const moved = Math.round(amount * 100);
      assert.deepEqual([await cents(ada), await cents(bob)], [before[0] - moved, before[1] + moved]);
    });
  }

  test('goes up to 9999999999999.99, and is exact there', async () => {
    const carol = await customer(server, system, { amount: 0 });
    await fund(system, carol.account, 9999999999999.99);
    const text = members('9999999999999.99').replace(ada.account._id, carol.account._id);
    const reply = await carol.api.post('/api/transactions', { body: `{${text}}` });
    assert.equal(reply.status, 200, reply.text);
    assert.match(reply.text, /"amount":9999999999999\.99,/);
    assert.equal(await balanceOf(carol, carol.account), 0);
    const back = members('9999999999999.99').replace(bob.account._id, carol.account._id)
      .replace(ada.account._id, bob.account._id);
    assert.equal((await bob.api.post('/api/transactions', { body: `{${back}}` })).status, 200);
    assert.match((await carol.api.get(`/api/accounts/balance/${carol.account._id}`)).text, /:9999999999999\.99,/);
  });

  const bad = {
    'must be at least 0.01': ['0', '0.00', '-0', '-0.0', '0e5', '-1', '-0.01', '-1e400', `-${2n ** 63n}`],
    'must be a number with at most 2 decimals': ['1.005', '0.30000000000000004', '0.001', '1e-3', '-0.001', '1e-400',
      '9999999999999.999', '"10"', '"1e2"', 'true', 'false', '[]', '[1]', '{}', '{"amount":1}'],
    'must be at most 9999999999999.99': ['10000000000000', '10000000000000.00', '1e400', '1e13', '9'.repeat(1000),
      ...[2n ** 53n + 1n, 2n ** 63n, 2n ** 64n].map(String), `1${'0'.repeat(100)}`, '1e99999999999999999999'],
    'is required': ['null', '""'],
  };
  for (const [message, texts] of Object.entries(bad)) {
    for (const text of texts) {
      test(`${text.slice(0, 30)}: ${message}`, () => changesNothing(async () => {
        const reply = await send(`{${members(text)}}`);
        fails(reply, 400, 'Validation failed', ['amount']);
        assert.equal(reply.json.errors[0].message, message);
      }));
    }
  }

  test('is looked at the same way where the system user gives it', () => changesNothing(async () => {
    for (const text of ['0', '-1', '1.005', '"10"', '1e400', 'null']) {
      const body = `{"toAccount":"${bob.account._id}","amount":${text},"idempotencyKey":"${randomUUID()}"}`;
      const reply = await system.api.post('/api/transactions/system/initial-funds', { body });
      fails(reply, 400, 'Validation failed', ['amount']);
    }
  }));
});

describe('what is no JSON', () => {
  const nested = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;
  const also = (more) => () => `{${members('1', more)}}`;
  const noted = (...texts) => texts.map((text) => also(`,"note":"${text}"`));
  const withBytes = (...bytes) => () =>
    Buffer.concat([Buffer.from(`{${members('1', ',"note":"')}`), Buffer.from(bytes), Buffer.from('"}')]);
  const refused = {
    'no number': ['01', '00', '-01', '+1', '.5', '1.', '-', '1e', '1e+', '0x10', '1_000', '1,5', 'NaN', 'Infinity',
      '-Infinity', '1.e2', '--1', '1 0', 'nul', 'True', 'undefined', "'1'"].map((text) => () => `{${members(text)}}`),
    'a name twice': [also(',"amount":1'), also(',"\\u0061mount":2'), also(',"deep":{"a":1,"a":1}')],
    'nesting of 65': [also(`,"deep":${nested(64)}`), () => nested(65), () => nested(100_000),
      () => `${'{"a":'.repeat(65)}1${'}'.repeat(65)}`],
    'lone surrogates': noted('\\ud800', '\\udc00', '\\ud800x', '\\ud800\\ud800', '\\udc00\\ud800'),
    'NUL': [...noted('a\\u0000b', 'a\u0000b'), () => `{${members('1')}}\u0000`],
    'noncharacters': noted('\\uffff', '\\ufffe', '\\ufdd0', '\uffff', '\ud83f\udfff', '\\ud83f\\udfff'),
    'bytes that are no UTF-8': [withBytes(0xff), withBytes(0x80), withBytes(0xc0, 0x80), withBytes(0xed, 0xa0, 0x80),
      withBytes(0xe2, 0x82), withBytes(0xf4, 0x90, 0x80, 0x80)],
    'control characters in a text': noted('a\nb', 'a\tb', 'a\u001fb'),
    'a byte order mark': [() => `\ufeff{${members('1')}}`],
    'commas too many': [also(','), also(',"a":[1,]'), () => `{,${members('1')}}`],
    'comments': [() => `{${members('1')}} // that is it`, () => `{/* */${members('1')}}`],
    'no end, or more behind it': [() => `{${members('1')}`, () => `{${members('1')}}}`, () => `{${members('1')}}{}`,
      () => `{${members('1', ',"note":"')}`, () => '{'],
    'bad escapes': noted('\\x41', '\\u12g4', '\\u12', '\\'),
    'blanks only': [() => '   ', () => '\r\n'],
    'no object': [() => '[]', () => 'null', () => '5', () => '"text"', () => 'true', () => `[{${members('1')}}]`],
  };
  for (const [what, bodies] of Object.entries(refused)) {
    test(`${what} (${bodies.length})`, () => changesNothing(async () => {
      for (const body of bodies) {
        const reply = await send(body());
        fails(reply, 400, 'Invalid JSON', ['body']);
      }
    }));
  }

  test('but this is: depth 64, 1,000 names, pairs of surrogates, escaped names, any blanks', async () => {
    const names = Array.from({ length: 1000 }, (_, n) => `"n${n}":${n}`).join(',');
    const note = ',"note":"\\ud83d\\ude42 🙂 \\u00fc"';
    for (const more of [`,"deep":${nested(63)}`, `,${names}`, note, ',"\\u006eote":1']) {
      const reply = await send(` \t\r\n{ ${members('1', more)}\n} `);
      assert.equal(reply.status, 200, reply.text);
    }
  });

  test('an empty body lacks every field', () => changesNothing(async () => {
    fails(await send(''), 400, 'Validation failed', ['fromAccount', 'toAccount', 'amount', 'idempotencyKey']);
  }));
});
