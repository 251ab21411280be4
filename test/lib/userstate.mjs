// People of the userstate surface: signed up by a link that was mailed or a code that was sent by SMS, and what comes
// to them. A person is { username, email, password, token, api }.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { api } from './client.mjs';
import { mailsTo } from './mails.mjs';
import { query } from './pg.mjs';
import { until } from './wait.mjs';

let count = 0;

/** What a new person sends to sign up. */
export function newcomer(more = {}) {
  const username = `person_${process.pid}_${++count}`;
  return { username, email: `${username}@example.com`, password: 'correct horse', full_name: 'Ada Example', ...more };
}

export const newPhone = () => `62811${String(process.pid).padStart(7, '0')}${String(++count).padStart(3, '0')}`;

/** The token of the newest mailed link to this path ("verify-sign-up", "reset-pwd"), when there are `n` of them. */
export async function linkTo(server, email, page, n = 1) {
  const pattern = new RegExp(`https?://\\S*/${page}\\?token=([A-Za-z0-9_-]{43})\\s`);
  return until(async () => {
    const links = (await mailsTo(server, email)).map(({ text }) => pattern.exec(text)?.[1]).filter(Boolean);
    return links.length >= n && links[n - 1];
  }, `link ${n} to ${page} in a mail to ${email}`);
}

async function messagesTo(server, phone) {
  const dir = path.join(server.dataDir, 'outbox/sms');
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
  const files = await Promise.all(names.map(async (name) => JSON.parse(await readFile(path.join(dir, name), 'utf8'))));
  const waiting = await query(server.database,
    `SELECT to_phone AS to, text FROM sms_outbox WHERE to_phone = '${phone}' AND text <> '' ORDER BY id`);
  const sent = files.filter(({ to }) => to === phone);
  return sent.concat(waiting.filter(({ text }) => !sent.some((one) => one.text === text)));
}

/** The nth code that was sent to this number. */
export async function codeTo(server, phone, n = 1) {
  const message = await until(async () => (await messagesTo(server, phone))[n - 1], `SMS ${n} to ${phone}`);
  return /\b(\d{6})\b/.exec(message.text)[1];
}

/** A code that is not this one. */
export const otherCode = (code) => String((Number(code) + 1) % 1_000_000).padStart(6, '0');

/** Signs up and confirms. mode OTP needs phone_number in `more`. */
export async function signUp(server, more = {}) {
  const anybody = api(server);
  const body = newcomer(more);
  const waiting = await anybody.post('/signup', { body });
  assert.equal(waiting.status, 201, waiting.text);
  const proof = body.mode === 'OTP'
    ? { token: waiting.json.token, otp: await codeTo(server, body.phone_number) }
    : { token: await linkTo(server, body.email, 'verify-sign-up') };
  const reply = await anybody.post('/verify-sign-up', { body: proof });
  assert.equal(reply.status, 200, reply.text);
  const { token } = reply.json;
  return { ...body, token, api: anybody.with({ token }) };
}
