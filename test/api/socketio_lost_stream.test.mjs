// The change stream is away for a while: who hears his own events over Socket.IO stays connected and gets every one of
// them; who hears members comes back by himself, a single member's listener recovered; what was revoked is ended.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { settledCustomer } from '../lib/listen.mjs';
import { earn, member } from '../lib/members.mjs';
import { fund, systemUser } from '../lib/people.mjs';
import { leaveAll, Patron, patron, WAYS } from '../lib/patron.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startServer } from '../lib/server.mjs';
import { tokenOf } from '../lib/tokens.mjs';
import { until } from '../lib/wait.mjs';

let elsewhere;      // a process that sees everything
let server;         // the one whose stream is hurt
let proxy;
let system;
before(async () => {
  elsewhere = await startServer({ env: { TALLY_OPEN: '1' } });
  proxy = await startProxy(elsewhere.database);
  server = await startServer({ database: proxy.url, env: { TALLY_OPEN: '1' } });
  system = await systemUser(elsewhere);
});
after(async () => {
  leaveAll();
  await server.stop();
  await elsewhere.stop();
  await proxy.close();
});

const only = (connection) => connection.replication;
const stream = async () => JSON.parse((await api(server).get('/ready')).text).stream;

/** The stream is away while `act` runs. */
async function without(act) {
  proxy.freeze({ only });
  proxy.cut({ only });
  await until(async () => await stream() === 'away', 'the stream to be away');
  await act();
  proxy.unfreeze();
  await until(async () => await stream() === 'live', 'the stream to be back', { timeout: 20_000 });
}

const deltas = (one) => one.said('balance-updated').map(({ delta }) => delta);

test('own events all come, in order, over the connection there is', async () => {
  const ada = await settledCustomer([elsewhere, server], system, { amount: 100 });
  const all = await Promise.all(Object.values(WAYS).map((transports) => patron(server, ada, { transports })));
  await without(async () => { for (const amount of [1, 2, 3]) await fund(system, ada.account, amount); });
  await fund(system, ada.account, 4);
  for (const one of all) {
    await one.heard('balance-updated', 4);
    assert.deepEqual(deltas(one), [1, 2, 3, 4]);
    assert.deepEqual(one.ends, []);
  }
  // The offsets that came with what was missed are good, too.
  const [one] = all;
  await one.cut();
  await fund(system, ada.account, 5);
  assert.equal(await one.comeBack(elsewhere), true);
  await one.heard('balance-updated', 5);
  assert.deepEqual(deltas(one), [1, 2, 3, 4, 5]);
  for (const other of all) await other.leave();
});

test('listeners of members come back: one of a single member recovered, one of all not', async () => {
  const anybody = api(elsewhere);
  const witness = await new Patron(server, { namespace: '/rewards' }).connected();
  const ann = await member(anybody, { points: 10 });
  await witness.heard('pointsUpdated');
  const [all, one] = [witness, await new Patron(server, { namespace: '/rewards' }).connected()];
  assert.deepEqual(await one.ask('subscribe', { userId: ann }), { status: true });
  const known = one.said('pointsUpdated').length;
  await without(() => earn(anybody, ann, 5));
  await Promise.all([all.connected(2), one.connected(2)]);
  assert.deepEqual([all.connects[1], one.connects[1]], [{ recovered: false }, { recovered: true }]);
  await one.heard('pointsUpdated', known + 1);
  assert.equal(one.said('pointsUpdated').at(-1).points, 15);
  for (const gone of [all, one]) await gone.leave();
});

test('a token that was revoked meanwhile is found', async () => {
  const ada = await settledCustomer([elsewhere, server], system, { amount: 100 });
  const token = await tokenOf(elsewhere, ada);
  const [one, two] = [await patron(server, ada), await patron(server, { token })];
  await without(async () => { assert.equal((await api(elsewhere, { token }).post('/api/auth/logout')).status, 200); });
  await until(() => two.ends.length, 'the socket to be ended');
  assert.deepEqual([one.ends, two.ends], [[], ['io server disconnect']]);
  for (const gone of [one, two]) await gone.leave();
});
