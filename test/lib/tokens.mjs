// Tokens as an attacker would make them, and as another system with the same secret would.
import { createHmac } from 'node:crypto';

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const HASHES = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' };

/** The claims of a token, without a look at its signature. */
export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString('utf8'));

/** A token with these claims. `hash`: how it is really signed, when the header is to lie about it. */
export function sign(claims, secret, { alg = 'HS256', header = {}, hash = HASHES[alg] ?? 'sha256' } = {}) {
  const signed = `${encode({ alg, typ: 'JWT', ...header })}.${encode(claims)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}

/** A token that says it needs no signature. */
export const unsigned = (claims, alg = 'none') => `${encode({ alg, typ: 'JWT' })}.${encode(claims)}.`;

/** One more token of the person's, by the operator's command; `ttl` in seconds. */
export async function tokenOf(server, { email }, ttl) {
  return (await server.command('token', '--email', email, ...(ttl ? ['--ttl', String(ttl)] : []))).trim();
}
