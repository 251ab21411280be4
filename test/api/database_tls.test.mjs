// PostgreSQL over TLS, with sslmode=verify-full: every connection is encrypted, reads, ledger, alerts and stream, also
// after PostgreSQL was gone; a server that is not the one it says it is, or whose certificate nobody vouches for, is
// refused.
import assert from 'node:assert/strict';
import { chmodSync, chownSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runOrThrow } from '../lib/paths.mjs';
import { balanceOf, customer, systemUser, transfer } from '../lib/people.mjs';
import { Cluster, query } from '../lib/pg.mjs';
import { Server, startServer } from '../lib/server.mjs';
import { selfSigned } from '../lib/tls.mjs';
import { until } from '../lib/wait.mjs';

// Any address of the loopback is ours; the port belongs to the cluster's socket as well.
const ADDRESS = `127.${process.pid % 250}.${(process.pid >> 8) % 250}.9`;
const OTHER = `127.${process.pid % 250}.${(process.pid >> 8) % 250}.10`;
let cluster;
let database;     // its name
let trusted;      // a certificate
let stranger;     // another one, for the same address

before(async () => {
  [trusted, stranger] = [await selfSigned({ address: ADDRESS }), await selfSigned({ address: ADDRESS })];
  chmodSync(path.dirname(trusted.key), 0o755);
  chmodSync(trusted.key, 0o600);
  if (process.getuid() === 0) {
    const owner = async (flag) => Number((await runOrThrow('id', [flag, 'postgres'])).trim());
    chownSync(trusted.key, await owner('-u'), await owner('-g'));
  }
  cluster = await Cluster.start({ fsync: 'off', listen_addresses: `${ADDRESS},${OTHER}`, ssl: 'on',
    ssl_cert_file: trusted.cert, ssl_key_file: trusted.key });
  database = new URL((await cluster.freshDatabase()).replace('///', '//x/')).pathname.slice(1);
});
after(() => cluster?.remove());

const url = (address, { cert }) =>
  `postgres://tally@${address}:5432/${database}?sslmode=verify-full&sslrootcert=${cert}`;
const sessions = () => query(cluster.url(database),
  `SELECT application_name AS name, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
   WHERE application_name IN ('read', 'ledger', 'alerts', 'stream')`);

describe('a database over TLS', () => {
  test('carries everything, and again after it was gone', async () => {
    const server = await startServer({ database: url(ADDRESS, trusted) });
    const system = await systemUser(server);
    const ada = await customer(server, system, { amount: 100 });
    const bob = await customer(server, system, { amount: 0 });
    assert.equal((await transfer(ada, ada.account, bob.account, 1)).status, 200);
    const all = await sessions();
    assert.deepEqual(new Set(all.map(({ name }) => name)), new Set(['read', 'ledger', 'alerts', 'stream']));
    assert.ok(all.every(({ ssl }) => ssl), JSON.stringify(all));
    await cluster.stop();
    await cluster.start({ fsync: 'off', listen_addresses: ADDRESS, ssl: 'on', ssl_cert_file: trusted.cert,
      ssl_key_file: trusted.key });
    await server.ready();
    await until(async () => (await transfer(ada, ada.account, bob.account, 1)).status === 200, 'a transfer');
    assert.ok((await sessions()).every(({ ssl }) => ssl));
    assert.ok(await balanceOf(bob, bob.account) >= 2);
    await server.stop();
    await cluster.stop();
    await cluster.start({ fsync: 'off', listen_addresses: `${ADDRESS},${OTHER}`, ssl: 'on',
      ssl_cert_file: trusted.cert, ssl_key_file: trusted.key });
  });

  for (const [what, where, why] of [
    ['whose certificate is for another address', () => url(OTHER, trusted), /certificate for .* does not match host/],
    ['whose certificate nobody vouches for', () => url(ADDRESS, stranger), /certificate verify failed/],
  ]) {
    test(`is refused at the start, with the reason, ${what}`, async () => {
      const server = new Server({ database: where() });
      server.expectDeath = true;
      await assert.rejects(server.start());
      assert.equal(server.result.code, 1);
      assert.match(server.logs.find(({ event }) => event === 'cannot_start').why, why);
      assert.deepEqual(await sessions(), []);
    });
  }
});
