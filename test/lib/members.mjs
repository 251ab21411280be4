// Members of the rewards surface, and what is done with them. `client` is an api(server) that may.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { api } from './client.mjs';

let count = 0;

/** As a socket wants it. */
const basicHeader = (basic) => ({ authorization: `Basic ${Buffer.from(basic).toString('base64')}` });

/** A Basic key with the scope: an api(server) of the shop that keeps the members. */
export async function shop(server, scope = 'rewards', holder = `shop${process.pid}${++count}`) {
  const said = await server.command('apikey', 'add', '--holder', holder, '--scope', scope);
  const basic = `${holder}:${said.trim().split(/\s+/).at(-1)}`;
  return Object.assign(api(server, { basic }), { basic, headers: basicHeader(basic) });
}

/** A new member with so many points: its id. */
export async function member(client, { id = `m.${process.pid}.${++count}`, points = 0, category = 'gift' } = {}) {
  const body = { id, name: `Member ${id}`, email: `member.${process.pid}.${++count}@example.com` };
  const made = await client.post('/rewards/create-user', { body });
  assert.equal(made.status, 201, made.text);
  if (points) assert.equal((await earn(client, id, points, { category })).status, 201);
  return id;
}

export function earn(client, id, points, { category = 'shopping', amount, key = randomUUID(), ...options } = {}) {
  const body = { points, category, amount };
  return client.post(`/rewards/add-points/${id}`, { body, headers: { 'idempotency-key': key }, ...options });
}

export function redeem(client, id, points, { type = 'voucher', key = randomUUID(), ...options } = {}) {
  const body = { pointsToRedeem: points, rewardType: type };
  return client.post(`/rewards/redeem/${id}`, { body, headers: { 'idempotency-key': key }, ...options });
}

export async function pointsOf(client, id) {
  const reply = await client.get(`/rewards/points/${id}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.points;
}
