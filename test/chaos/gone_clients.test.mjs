// SIGTERM while handlers still work for clients that have gone: they wait for the tables, for the ledger, for a
// password to be hashed. The server ends in order, nothing of it is used after it was freed, and what they did is done
// or not.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { raw } from '../lib/client.mjs';
import { audit, customer, systemUser } from '../lib/people.mjs';
import { freshDatabase } from '../lib/pg.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';

let database;
let proxy;
let server;
let system;
let ada;
let bob;
before(async () => {
  database = await freshDatabase();
  proxy = await startProxy(database);
  server = await startServer({ database: proxy.url });
  system = await systemUser(server);
  [ada, bob] = [await customer(server, system, { amount: 1000 }), await customer(server, system, { amount: 0 })];
});
after(async () => {
  await audit(server);
  await server.stop();
  await proxy.close();
});

function request(method, path, body, token) {
  const text = body ? JSON.stringify(body) : '';
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
    `${token ? `Authorization: Bearer ${token}\r\n` : ''}Content-Length: ${text.length}\r\n\r\n${text}`;
}
const kinds = {
  'a transfer': () => request('POST', '/api/transactions',
    { fromAccount: ada.account._id, toAccount: bob.account._id, amount: 0.01, idempotencyKey: randomUUID() },
    ada.token),
  // By a user the memory may not know: the tables are asked first, then the ledger.
  'initial funds': () => request('POST', '/api/transactions/system/initial-funds',
    { userId: '0123456789abcdef01234567', amount: 1, idempotencyKey: randomUUID() }, system.token),
  'a list': () => request('GET', '/api/transactions', null, ada.token),
  'opening an account': () => request('POST', '/api/accounts', null, bob.token),
  'a log-in': () => request('POST', '/api/auth/login', { email: ada.email, password: ada.password }),
  'a registration': () => request('POST', '/api/auth/register',
    { name: 'Gone', email: `${randomUUID()}@example.com`, password: 'some password' }),
};

/** Sends one of each, many times, and goes away as soon as the server works on them. */
async function leaveBehind(times) {
  const connections = await Promise.all(Array.from({ length: times }, () => raw(server)));
  const all = Object.values(kinds).map((make) => make()).join('');
  await Promise.all(connections.map((connection) => connection.send(all)));
  await new Promise((resolve) => { setTimeout(resolve, 30); });
  for (const connection of connections) connection.close();
}

async function ends() {
  const from = Date.now();
  await server.stop({ timeout: 30_000 });
  assert.equal(server.logs.some(({ event }) => event === 'handler_stuck'), false, 'every handler came to its end');
  return Date.now() - from;
}

describe('SIGTERM when the clients have gone', () => {
  for (let round = 1; round <= 2; round++) {
    test(`while everything works, ${round}`, async () => {
      await leaveBehind(8);
      await ends();
      await server.start();
    });
  }

  for (const name of ['read', 'ledger']) {
    test(`while the connections "${name}" say nothing`, async () => {
      proxy.freeze({ only: ({ startup }) => startup?.application_name === name });
      await leaveBehind(5);
      await ends();
      proxy.unfreeze();
      await server.start();
    });

    test(`while the connections "${name}" say nothing, and then go on`, async () => {
      proxy.freeze({ only: ({ startup }) => startup?.application_name === name });
      await leaveBehind(5);
      const ending = ends();
      await server.logged('tallyd', 'stopping');
      await new Promise((resolve) => { setTimeout(resolve, 300); });
      proxy.unfreeze();
      assert.ok(await ending < 5000, 'it does not wait for a deadline');
      await server.start();
    });

    test(`while the connections "${name}" are cut`, async () => {
      proxy.freeze({ only: ({ startup }) => startup?.application_name === name });
      await leaveBehind(5);
      const ending = ends();
      await server.logged('tallyd', 'stopping');
      proxy.down();
      await ending;
      proxy.pass();
      await server.start();
    });
  }
});
