// People who come by somebody's code, and how they prove their address: BANK-01 with a code, BANK-26 with the link of
// the welcome mail.
import assert from 'node:assert/strict';
import { api } from './client.mjs';
import { mailTo } from './mails.mjs';

let count = 0;

/** A person by BANK-01, with the number of his row and his points: { …, email, id, token, api, code }. */
export async function signUp(server, { name = 'Ada Example', email, code, ...options } = {}) {
  const address = email ?? `${name.toLowerCase().replace(/\W+/g, '.')}.${process.pid}.${++count}@example.com`;
  const body = { name, email: address, password: 'correct horse', referralCode: code };
  const reply = await api(server).post('/api/auth/register', { body, ...options });
  assert.equal(reply.status, 201, reply.text);
  const { user, token } = reply.json;
  const person = { id: user._id, name, email: user.email, token, api: api(server, { token }) };
  person.code = (await mine(person, options)).referralCode;
  return person;
}

export async function mine(person, options) {
  const reply = await person.api.get('/api/points/my-points', options);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.data;
}

/** The token of the link in the welcome mail. `servers`: one, or several that share a database. */
export async function linkOf(servers, person) {
  const { text } = await mailTo(servers, person.email);
  return /verify-email\?token=([\w-]+)/.exec(text)[1];
}

/** BANK-26: the person proves his address. */
export async function verify(server, person, options) {
  const token = await linkOf(server, person);
  const reply = await api(server).post('/api/auth/verify-email', { body: { token }, ...options });
  assert.equal(reply.status, 200, reply.text);
}
