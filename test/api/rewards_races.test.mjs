// Many at once: thirty redemptions against a balance for four, thirty uses of one idempotency key, also while the
// server is killed in between. Whoever got no answer asks again with the same key, as careful clients do: REW-02, 05.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { earn, member, pointsOf, redeem } from '../lib/members.mjs';
import { audit } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';

const CROWD = 30;

let server;
let client;
before(async () => {
  server = await startServer({ env: { TALLY_OPEN: '1' } });
  client = api(server);
});
after(async () => {
  await audit(server);
  await server.stop();
});

const crowd = (one) => Promise.all(Array.from({ length: CROWD }, (_, n) => one(n)));
const withStatus = (replies, status) => replies.filter((reply) => reply.status === status);

/** Asks until there is an answer that is not "try later"; answered(n) is told how many have come. */
function persistent(ask, answered = () => {}) {
  return until(async () => {
    const reply = await ask();
    if (reply.status === 503) return null;
    answered();
    return reply;
  }, 'an answer', { timeout: 30_000 });
}

/** The crowd asks, and the server is killed once so many of them have been answered. */
async function whileKilled(ask, after) {
  let count = 0;
  const replies = crowd((n) => persistent(() => ask(n), () => { count += 1; }));
  await until(() => count >= after, `${after} answers`, { every: 0 });
  await server.restart({ kill: true });
  return replies;
}

describe('thirty redemptions against a balance for four', () => {
  async function check(id, replies) {
    const [done, refused] = [withStatus(replies, 201), withStatus(replies, 400)];
    assert.deepEqual([done.length, refused.length], [4, CROWD - 4]);
    assert.equal(new Set(done.map(({ json }) => json.redemption.id)).size, 4);
    assert.deepEqual(done.map(({ json }) => json.remainingPoints).sort((a, b) => a - b), [0, 100, 200, 300]);
    for (const { json } of refused) assert.equal(json.message, 'Insufficient points');
    assert.equal(await pointsOf(client, id), 0);
  }

  test('four of them spend it', async () => {
    const id = await member(client, { points: 499 });
    const replies = await crowd(() => redeem(client, id, 120));
    assert.deepEqual([withStatus(replies, 201).length, withStatus(replies, 400).length], [4, CROWD - 4]);
    assert.equal(await pointsOf(client, id), 19);
  });

  test('also at two processes', async () => {
    const other = await startServer({ database: server.database, env: { TALLY_OPEN: '1' } });
    const id = await member(client, { points: 400 });
    await check(id, await crowd((n) => redeem(n % 2 ? client : api(other), id, 100)));
    await other.stop();
  });

  for (const after of [0, 1, 5, 29]) {
    test(`also when the server is killed after ${after} answers`, async () => {
      const id = await member(client, { points: 400 });
      const keys = Array.from({ length: CROWD }, () => randomUUID());
      await check(id, await whileKilled((n) => redeem(client, id, 100, { key: keys[n] }), after));
    });
  }
});

describe('thirty uses of one idempotency key', () => {
  const one = (id, key) => () => earn(client, id, 70, { key, amount: 3.5, category: 'once' });

  async function check(id, replies) {
    for (const reply of replies) {
      assert.equal(reply.status, 201, reply.text);
      assert.deepEqual(reply.json, replies[0].json);
    }
    assert.equal(replies[0].json.points, 70);
    assert.equal(await pointsOf(client, id), 70);
    assert.equal((await client.get(`/rewards/transactions/${id}`)).json.pagination.total, 1);
  }

  test('earn once', async () => {
    const id = await member(client);
    const replies = await crowd(one(id, randomUUID()));
    await check(id, replies);
    assert.equal(replies.filter(({ headers }) => !headers['idempotent-replayed']).length, 1);
  });

  for (const after of [0, 1, 15]) {
    test(`also when the server is killed after ${after} answers`, async () => {
      const id = await member(client);
      await check(id, await whileKilled(one(id, randomUUID()), after));
    });
  }
});

test('the analytics count each of many at the same moment, at once for whoever earned', async () => {
  const total = async () => {
    const { byCategory } = (await client.get('/analytics/rewards-distribution')).json;
    const row = byCategory.find(({ category }) => category === 'crowd');
    return row ? [row.totalPoints, row.transactions] : [0, 0];
  };
  const ids = await Promise.all(Array.from({ length: 5 }, () => member(client)));
  for (let n = 1; n <= 10; n++) {
    await earn(client, ids[n % 5], n, { category: 'crowd' });
    assert.deepEqual(await total(), [n * (n + 1) / 2, n]);
  }
  await crowd((n) => earn(client, ids[n % 5], 10, { category: 'crowd' }));
  assert.deepEqual(await total(), [55 + 10 * CROWD, 10 + CROWD]);
});
