// Shapes by which a second request is smuggled past a proxy that reads them differently. Each comes whole and byte by
// byte; each is refused with 400 and the connection closed, and what stands behind it is never executed: BANK-03
// would leave an account.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { raw } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';

let server;
let ada;
let second;      // a request that would open an account
before(async () => {
  server = await startServer();
  ada = await register(server);
  second = `POST /api/accounts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\nContent-Length: 0\r\n\r\n`;
});
after(() => server?.stop());

const opened = async () => (await ada.api.get('/api/accounts')).json.accounts.length;
// The first request would open one, too, if it were taken for well-formed.
const first = (...lines) => ['POST /api/accounts HTTP/1.1', 'Host: x', `Authorization: Bearer ${ada.token}`, ...lines];
const head = (...lines) => `${first(...lines).join('\r\n')}\r\n\r\n`;
const chunked = (body) => () => `${head('Transfer-Encoding: chunked')}${body}`;
const line = (text) => () => `${text}\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\nContent-Length: 0\r\n\r\n`;

const shapes = {
  'two lengths, or none that can be told': {
    'length and chunked': () => `${head('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'chunked and length': () => `${head('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n`,
    'two lengths': () => `${head('Content-Length: 0', 'Content-Length: 5')}`,
    'the same length twice': () => `${head('Content-Length: 0', 'Content-Length: 0')}`,
    'a list of lengths': () => head('Content-Length: 0, 0'),
    'a signed length': () => head('Content-Length: +0'),
    'a negative length': () => head('Content-Length: -1'),
    'a hexadecimal length': () => head('Content-Length: 0x0'),
    'an empty length': () => head('Content-Length: '),
    'a length with a blank inside': () => head('Content-Length: 0 0'),
    'a length beyond 64 bits': () => head('Content-Length: 18446744073709551616'),
    'a length that wraps to 0': () => head(`Content-Length: ${'0'.repeat(30)}`),
    'two encodings': () => `${head('Transfer-Encoding: identity', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'chunked twice': () => `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'a list of encodings': () => `${head('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
    'chunked before another': () => `${head('Transfer-Encoding: chunked, identity')}0\r\n\r\n`,
    'an unknown encoding': () => `${head('Transfer-Encoding: xchunked')}0\r\n\r\n`,
    'a quoted encoding': () => `${head('Transfer-Encoding: "chunked"')}0\r\n\r\n`,
    'an encoding behind a vertical tab': () => `${head('Transfer-Encoding: \vchunked')}0\r\n\r\n`,
    'chunked in HTTP/1.0': () => `${head('Transfer-Encoding: chunked').replace('HTTP/1.1', 'HTTP/1.0')}0\r\n\r\n`,
  },
  'lines that end otherwise': {
    'bare line feeds': () => head().replaceAll('\r\n', '\n'),
    'one bare line feed': () => head('A: b').replace('x\r\n', 'x\n'),
    'a bare line feed at the end': () => `${first().join('\r\n')}\r\n\n`,
    'a bare carriage return at the end': () => `${first().join('\r\n')}\r\n\rX`,
    'a carriage return in a value': () => head('A: b\rContent-Length: 5'),
    'a carriage return instead of an end': () => head('A: b\rB: c'),
    'two carriage returns': () => head('A: b\r'),
    'a folded line': () => head('A: b', ' Content-Length: 5'),
    'a folded line by tab': () => head('A: b', '\tcontinued'),
    'a length folded away': () => head().replace('Host: x', 'Host: x\r\n Content-Length: 5'),
    'chunked on a folded line': () => `${head('Transfer-Encoding:\r\n chunked')}0\r\n\r\n`,
    'two empty lines before it': () => `\r\n\r\n${head()}`,
    'a blank before it': () => ` ${head()}`,
  },
  'names and values': {
    'no name': () => head(': b'),
    'a blank before the colon': () => head('Content-Length : 5'),
    'a tab before the colon': () => head('Transfer-Encoding\t: chunked'),
    'a blank before the name': () => head().replace('Host: x', ' Host: x'),
    'no colon': () => head('Content-Length 5'),
    'NUL in a name': () => head('Content\0Length: 5'),
    'NUL in a value': () => head('A: b\0c'),
    'a byte above 127 in a name': () => Buffer.from(head('Cont\x80ent: 5'), 'latin1'),
    'a control character in a value': () => head('A: b\x01'),
    'brackets in a name': () => head('A[b]: c'),
  },
  'hosts': {
    'none': () => head().replace('Host: x\r\n', ''),
    'two': () => head('Host: y'),
    'the same twice': () => head('Host: x'),
    'an empty one': () => head().replace('Host: x', 'Host:'),
    'one with a path': () => head().replace('Host: x', 'Host: x/y'),
    'one with a user': () => head().replace('Host: x', 'Host: a@x'),
    'another in the target': line('POST http://other/api/accounts HTTP/1.1'),
  },
  'request lines': {
    'HTTP/2.0': line('POST /api/accounts HTTP/2.0'),
    'HTTP/0.9': line('POST /api/accounts HTTP/0.9'),
    'HTTP/1.2': line('POST /api/accounts HTTP/1.2'),
    'a lower-case protocol': line('POST /api/accounts http/1.1'),
    'no protocol': line('POST /api/accounts'),
    'another protocol': line('SOURCE /api/accounts ICE/1.0'),
    'a method that is none': line('POSTE /api/accounts HTTP/1.1'),
    'a method of another protocol': line('PROPFIND /api/accounts HTTP/1.1'),
    'a lower-case method': line('post /api/accounts HTTP/1.1'),
    'CONNECT': line('CONNECT x:80 HTTP/1.1'),
    'two blanks before the target': line('POST  /api/accounts HTTP/1.1'),
    'two blanks behind the target': line('POST /api/accounts  HTTP/1.1'),
    'a tab instead of a blank': line('POST\t/api/accounts HTTP/1.1'),
    'a blank in the target': line('POST /api/ accounts HTTP/1.1'),
    'a fragment': line('POST /api/accounts#x HTTP/1.1'),
    'a target without a slash': line('POST api/accounts HTTP/1.1'),
    'a byte above 127': () => Buffer.from(line('POST /api/accounts?\x80 HTTP/1.1')(), 'latin1'),
    'something behind the protocol': line('POST /api/accounts HTTP/1.1 x'),
    'TLS on the plain port': () => Buffer.from('16030100c8010000c40303', 'hex'),
  },
  'chunks': {
    'a size that is none': chunked('x\r\n\r\n'),
    'no size': chunked('\r\n\r\n'),
    'a negative size': chunked('-1\r\n\r\n'),
    'a size with 0x': chunked('0x0\r\n\r\n'),
    'a size beyond 64 bits': chunked('10000000000000000\r\n'),
    'a blank behind the size': chunked('1 \r\nx\r\n0\r\n\r\n'),
    'a line that ends in a bare line feed': chunked('1\nx\r\n0\r\n\r\n'),
    'a line that ends in a bare carriage return': chunked('1\rx\r\n0\r\n\r\n'),
    'data without an end': chunked('1\r\nxy\r\n0\r\n\r\n'),
    'data that ends in a bare line feed': chunked('1\r\nx\n0\r\n\r\n'),
    'a last line that is a bare line feed': chunked('0\r\n\n'),
    'trailers': chunked('0\r\nContent-Length: 5\r\n\r\n'),
    'a carriage return in an extension': chunked('1;a=\rb\r\nx\r\n0\r\n\r\n'),
  },
};

// Whatever the server makes of it, it may say only one thing: 400, and goodbye.
async function refuses(bytes, send) {
  const before = await opened();
  const connection = await raw(server);
  await send(connection, Buffer.concat([Buffer.from(bytes), Buffer.from(second)]));
  const reply = await connection.reply();
  assert.equal(reply.headers.connection, 'close');
  fails(reply, 400);
  assert.equal(await connection.closed(), '', 'nothing is answered behind it');
  assert.equal(await opened(), before, 'nothing was executed');
}

for (const [kind, those] of Object.entries(shapes)) {
  describe(kind, () => {
    for (const [what, bytes] of Object.entries(those)) {
      test(what, async () => {
        await refuses(bytes(), (connection, all) => connection.send(all));
        await refuses(bytes(), (connection, all) => connection.sendSlowly(all));
      });
    }
  });
}

test('and the well-formed request between them is executed, once', async () => {
  for (const bytes of [head('Content-Length: 0'), `${head('Transfer-Encoding: chunked')}0\r\n\r\n`, `\r\n${head()}`]) {
    for (const how of ['send', 'sendSlowly']) {
      const before = await opened();
      const connection = await raw(server);
      await connection[how](bytes);
      assert.equal((await connection.reply()).status, 201);
      await connection[how](second);
      assert.equal((await connection.reply()).status, 201);
      connection.close();
      assert.equal(await opened(), before + 2);
    }
  }
});
