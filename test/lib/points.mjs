// People with points, who grants them, and the key by which services report them. Made by the operator's commands.
import assert from 'node:assert/strict';
import { api } from './client.mjs';

let count = 0;

/** { email, number, username, id, token, api }. */
export async function pointsPerson(server, name = 'Ada', role = 'user') {
  const email = `${name.toLowerCase()}.${process.pid}.${++count}@example.com`;
  const options = ['--email', email, '--password', 'correct horse', '--name', name, '--role', role];
  const said = await server.command('user', 'add', ...options);
  const [, number, username] = /^id (\d+)\nusername (\S+)\n$/.exec(said);
  const token = (await server.command('token', '--email', email)).trim();
  const { sub } = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
  return { email, number, username, token, id: sub, api: api(server, { token }) };
}

/** An api that speaks with a new key of this scope. */
export async function keyFor(server, scope = 'points') {
  const holder = `holder${process.pid}x${++count}`;
  const said = await server.command('apikey', 'add', '--holder', holder, '--scope', scope);
  return api(server, { basic: `${holder}:${said.trim().split(/\s+/).at(-1)}` });
}

/** The administrator grants (or, below 0, takes) points. */
export async function grant(admin, person, amount, more = {}) {
  const body = { userId: person.id, amount, reason: 'a test', ...more };
  const reply = await admin.api.post('/api/points/admin/add', { body });
  assert.equal(reply.status, 200, reply.text);
  return reply.json.data.transaction;
}

/** What a GET below /api/points says. */
export async function told(person, path, options) {
  const reply = await person.api.get(`/api/points/${path}`, options);
  assert.equal(reply.status, 200, reply.text);
  assert.equal(reply.json.success, true);
  return reply.json.data;
}
