// A certificate for 127.0.0.1, or another address, that nobody has signed: { cert, key, pem, env } with the paths of
// both, the certificate itself, and the settings that make a server serve https and wss with them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runOrThrow } from './paths.mjs';

export async function selfSigned({ address = '127.0.0.1' } = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-tls.'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(dir, name));
  await runOrThrow('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-days', '2', '-subj', `/CN=${address}`, '-addext', `subjectAltName=IP:${address}`, '-out', cert, '-keyout', key]);
  return { cert, key, pem: readFileSync(cert, 'utf8'), env: { TLS_CERT: cert, TLS_KEY: key } };
}
