// The mails that a server without a mail server has written into its outbox directory.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { until } from './wait.mjs';

/** Those to this address, oldest first: { to, subject, text }. `servers`: one, or several that share a database. */
export async function mailsTo(servers, address) {
  const all = await Promise.all([servers].flat().map(mailsOf));
  return all.flat().filter((mail) => mail.to.includes(address)).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The nth mail to this address, once it is there. */
export const mailTo = (servers, address, n = 1) =>
  until(async () => (await mailsTo(servers, address))[n - 1], `mail ${n} to ${address}`);

async function mailsOf(server) {
  const dir = path.join(server.dataDir, 'outbox/mail');
  const names = (await readdir(dir).catch(() => [])).filter((name) => name.endsWith('.eml'));
  return Promise.all(names.map(async (name) => ({ name, ...decode(await readFile(path.join(dir, name), 'utf8')) })));
}

function decode(eml) {
  const end = eml.indexOf('\r\n\r\n');
  const header = (name) => new RegExp(`^${name}: (.*)$`, 'mi').exec(eml.slice(0, end))?.[1].trim() ?? '';
  return { to: header('To'), subject: header('Subject'), text: decodeBody(eml.slice(end + 4), eml) };
}

function decodeBody(body, eml) {
  if (/quoted-printable/i.test(eml)) {
    return body.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  }
  return body.replace(/(?:^[A-Za-z0-9+/=]{1,76}\r?\n?)+$/gm, (block) => Buffer.from(block, 'base64').toString('utf8'));
}
