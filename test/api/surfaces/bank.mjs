import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fund, openAccount } from '../../lib/people.mjs';
import { until } from '../../lib/wait.mjs';

export const built = [
  { id: 'BANK-01', method: 'POST', path: '/api/auth/register', door: 'anybody' },
  { id: 'BANK-02', method: 'POST', path: '/api/auth/login', door: 'anybody' },
  { id: 'BANK-03', method: 'POST', path: '/api/accounts', door: 'customer' },
  { id: 'BANK-04', method: 'GET', path: '/api/accounts', door: 'customer' },
  { id: 'BANK-05', method: 'GET', path: '/api/accounts/balance/:accountid', door: 'customer', other: 403 },
  { id: 'BANK-06', method: 'POST', path: '/api/transactions', door: 'customer', other: 403 },
  { id: 'BANK-07', method: 'POST', path: '/api/transactions/system/initial-funds', door: 'funds' },
  { id: 'BANK-20', method: 'POST', path: '/api/auth/logout', door: 'optional', ends: true },
  { id: 'BANK-21', method: 'GET', path: '/api/auth/me', door: 'customer' },
  { id: 'BANK-22', method: 'GET', path: '/api/transactions', door: 'customer' },
  { id: 'BANK-23', method: 'GET', path: '/api/transactions/:id', door: 'customer', other: 404 },
  { id: 'BANK-24', method: 'GET', path: '/api/accounts/:accountid', door: 'customer', other: 403 },
  { id: 'BANK-25', method: 'PATCH', path: '/api/accounts/:accountid/status', door: 'system' },
  { id: 'BANK-26', method: 'POST', path: '/api/auth/verify-email', door: 'token' },
  { id: 'BANK-26-RESEND', method: 'POST', path: '/api/auth/verify-email/resend', door: 'customer' },
  { id: 'BANK-26-PAGE', method: 'GET', path: '/verify-email', hidden: 'text/html', door: 'anybody' },
];

/** The token of the newest mail to this address, out of the outbox. */
async function tokenFor(server, email) {
  const outbox = path.join(server.dataDir, 'outbox/mail');
  return until(() => readdirSync(outbox).sort().reverse()
    .map((name) => readFileSync(path.join(outbox, name), 'utf8').replace(/=\r?\n/g, '').replaceAll('=3D', '='))
    .filter((mail) => mail.toLowerCase().includes(email))
    .map((mail) => /verify-email\?token=([\w-]+)/.exec(mail)?.[1]).find(Boolean), `a mail to ${email}`);
}

export const recipes = ({ people, server }) => ({
  'BANK-01': {},
  'BANK-02': {},
  'BANK-03': { as: 'ada' },
  'BANK-04': { as: 'ada' },
  'BANK-05': { as: 'ada', params: () => ({ accountid: people.ada.account._id }) },
  'BANK-06': { as: 'ada', body: () => ({ fromAccount: people.ada.account._id, toAccount: people.bob.account._id }) },
  'BANK-07': { as: 'system', body: () => ({ toAccount: people.bob.account._id }) },
  'BANK-20': {},
  'BANK-21': { as: 'ada' },
  'BANK-22': { as: 'ada' },
  'BANK-23': { as: 'bob', params: async () => ({ id: (await fund(people.system, people.bob.account, 1))._id }) },
  'BANK-24': { as: 'ada', params: () => ({ accountid: people.ada.account._id }) },
  'BANK-25': { as: 'system', params: async () => ({ accountid: (await openAccount(people.bob))._id }) },
  'BANK-26': { body: async () => ({ token: await tokenFor(server, people.ada.email) }) },
  'BANK-26-RESEND': { as: 'bob' },
});
