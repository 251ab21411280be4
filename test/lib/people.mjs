// Persons of the bank surface. A person is { id, name, email, password, token, api }, where `api`
// speaks with the person's token. Every helper checks that what it did has worked.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { api } from './client.mjs';

let count = 0;

const emailOf = (name) => `${name.toLowerCase().replace(/\W+/g, '.')}.${process.pid}.${++count}@example.com`;

function expect(reply, status, what) {
  assert.equal(reply.status, status, `${what}: ${reply.status} ${reply.text}`);
  return reply.json;
}

/** `client` is an api(server) or a server. */
const clientOf = (client) => (client.request ? client : api(client));

function personOf(anybody, { user, token }, password) {
  return { id: user._id, name: user.name, email: user.email, password, token, api: anybody.with({ token }) };
}

/** A new customer. */
export async function register(client, who = {}) {
  const { name = 'Ada Example', email = emailOf(name), password = 'correct horse' } = who;
  const anybody = clientOf(client);
  const reply = expect(await anybody.post('/api/auth/register', { body: { name, email, password } }), 201, 'register');
  return personOf(anybody, reply, password);
}

export async function logIn(client, { email, password }) {
  const anybody = clientOf(client);
  const reply = expect(await anybody.post('/api/auth/login', { body: { email, password } }), 200, 'log in');
  return personOf(anybody, reply, password);
}

/** The system user, who alone may bring money into the world. Made by the operator's command. */
export async function systemUser(server, { email = emailOf('system'), password = 'system password' } = {}) {
  await server.command('user', 'add', '--email', email, '--password', password, '--name', 'System', '--role', 'system');
  return logIn(server, { email, password });
}

/** A new account of the person's: Account as in the contract. */
export async function openAccount(person) {
  return expect(await person.api.post('/api/accounts'), 201, 'open an account').account;
}

/** Money from the treasury into an account (an Account or its id). */
export async function fund(system, account, amount, key = randomUUID()) {
  const body = { toAccount: account._id ?? account, amount, idempotencyKey: key };
  return expect(await system.api.post('/api/transactions/system/initial-funds', { body }), 200, 'fund').transaction;
}

/** The reply as it came: refusals are what many tests are about. */
export function transfer(person, from, to, amount, key = randomUUID(), options = {}) {
  const body = { fromAccount: from._id ?? from, toAccount: to._id ?? to, amount, idempotencyKey: key };
  return person.api.post('/api/transactions', { body, ...options });
}

export async function balanceOf(person, account) {
  return expect(await person.api.get(`/api/accounts/balance/${account._id ?? account}`), 200, 'balance').balance;
}

/** A customer with one funded account: { …person, account }. */
export async function customer(server, system, { amount = 1000, ...who } = {}) {
  const person = await register(server, who);
  person.account = await openAccount(person);
  if (amount) await fund(system, person.account, amount);
  return person;
}

/** `tallyd audit` proves the ledger; it throws, with what it found, when the ledger does not hold. */
export const audit = (server) => server.command('audit');
