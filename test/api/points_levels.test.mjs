// POINTS-04 and POINTS-21: the levels, and others in their place, for everyone at the next read.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { audit } from '../lib/people.mjs';
import { query } from '../lib/pg.mjs';
import { grant, pointsPerson, told } from '../lib/points.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { until } from '../lib/wait.mjs';

const SET = '/api/points/admin/levels';
const DEFAULT = [
  { name: 'bronze', tier: 1, minPoints: 0, perks: [] }, { name: 'silver', tier: 2, minPoints: 1000, perks: [] },
  { name: 'gold', tier: 3, minPoints: 2500, perks: [] }, { name: 'platinum', tier: 4, minPoints: 5000, perks: [] },
];

let server;
let other;      // a second process
let admin;
let ada;
before(async () => {
  server = await startServer();
  other = await startServer({ database: server.database });
  admin = await pointsPerson(server, 'Admin', 'admin');
  ada = await pointsPerson(server);
});
after(async () => {
  await audit(server);
  await other.stop();
  await server.stop();
});

const set = (levels, who = admin) => who.api.put(SET, { body: { levels } });
const level = (n, more = {}) => ({ name: `level ${n}`, tier: n, minPoints: n * 10, perks: [], ...more });

test('the levels are there from the first moment, by tier', async () => {
  assert.deepEqual(await told(ada, 'levels'), { levels: DEFAULT });
});

test('new ones replace them all, in both processes, and nobody is told a level-up', async () => {
  await grant(admin, ada, 600);
  assert.equal((await told(ada, 'my-points')).level.name, 'bronze');
  const levels = [
    { name: 'seed', tier: 2, minPoints: 0, perks: [] },
    { name: 'tree é', tier: 5, minPoints: 500, perks: ['Free delivery', 'A "quoted" \\ perk'] },
    { name: 'forest', tier: 9, minPoints: 9000, perks: [] },
  ];
  const sent = levels.map(({ perks, ...rest }) => ({ ...rest, ...(perks.length ? { perks } : {}), more: 1 }));
  const reply = await set(sent);
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(reply.json, { success: true, data: { levels } });
  assert.deepEqual(await told(ada, 'levels'), { levels });
  const { level: reached, nextLevel } = await told(ada, 'my-points');
  assert.deepEqual(reached, levels[1]);
  assert.deepEqual(nextLevel, { name: 'forest', tier: 9, minPoints: 9000, pointsToGo: 8400 });
  const there = { api: api(other, { token: ada.token }) };
  await until(async () => (await told(there, 'levels')).levels.length === 3, 'the other process to know');
  assert.deepEqual(await told(there, 'levels'), { levels });
  const rows = await query(server.database, `SELECT count(*) AS n FROM inbox WHERE user_id = ${ada.number}`);
  assert.equal(rows[0].n, 0);
});

test('the next crossing is by the new ones', async () => {
  await set([level(0), { ...level(1), minPoints: 650 }]);
  await grant(admin, ada, 100);
  const events = await query(server.database, `SELECT data FROM inbox WHERE user_id = ${ada.number}`);
  assert.deepEqual(events.map(({ data }) => [data.previousLevel.name, data.level.name]), [['level 0', 'level 1']]);
});

test('they are the same after a restart', async () => {
  const levels = [level(0, { perks: ['One'] }), level(7)];
  await set(levels);
  await server.restart({ kill: true });
  assert.deepEqual(await told(ada, 'levels'), { levels });
});

test('of many at once the last one stands, everywhere the same, whole', async () => {
  const wish = (n) => Array.from({ length: n + 1 }, (_, at) => level(at, { name: `wish ${n}` }));
  const wishes = Array.from({ length: 20 }, (_, n) => wish(n));
  const both = [admin, { api: api(other, { token: admin.token }) }];
  const replies = await Promise.all(wishes.map((levels, n) => set(levels, both[n % 2])));
  for (const reply of replies) assert.equal(reply.status, 200, reply.text);
  const rows = await query(server.database, `SELECT name, tier, min_points AS "minPoints", perks FROM level_configs
    ORDER BY tier`);
  assert.deepEqual(rows, wishes[rows.length - 1]);
  for (const one of [server, other]) {
    const there = { api: api(one, { token: ada.token }) };
    await until(async () => (await told(there, 'levels')).levels.length === rows.length, 'the last ones everywhere');
    assert.deepEqual((await told(there, 'levels')).levels, rows);
  }
});

describe('what is not taken', () => {
  for (const [what, levels] of [
    ['none', []],
    ['no list', { name: 'x' }],
    ['fifty-one', Array.from({ length: 51 }, (_, n) => level(n))],
    ['a first one that does not begin at 0', [level(1)]],
    ['two of one tier', [level(0), level(1), level(1, { minPoints: 20 })]],
    ['a lower tier behind a higher', [level(0), level(2), level(1, { minPoints: 50 })]],
    ['two of one threshold', [level(0), level(1), level(2, { minPoints: 10 })]],
    ['a nameless one', [level(0, { name: '' })]],
    ['a blank name', [level(0, { name: ' ' })]],
    ['a name of 65 characters', [level(0, { name: 'é'.repeat(65) })]],
    ['half a tier', [level(0), level(1.5)]],
    ['a tier in quotes', [level(0, { tier: '1' })]],
    ['a threshold in quotes', [level(0), level(1, { minPoints: '10' })]],
    ['perks that are a text', [level(0, { perks: 'x' })]],
    ['perks that are numbers', [level(0, { perks: [1] })]],
    ['twenty-one perks', [level(0, { perks: Array(21).fill('x') })]],
    ['a perk of 201 characters', [level(0, { perks: ['x'.repeat(201)] })]],
    ['what is no level', [level(0), 7]],
  ]) {
    test(`${what} is 400, and the old ones stand`, async () => {
      const before = await told(ada, 'levels');
      fails(await set(levels), 400, undefined, ['levels']);
      assert.deepEqual(await told(ada, 'levels'), before);
    });
  }

  test('nothing is 400', async () => fails(await admin.api.put(SET, { body: {} }), 400, undefined, ['levels']));

  test('anything from somebody who is no administrator, before it is looked at', async () => {
    fails(await ada.api.put(SET, { body: {} }), 403, 'Admin access required');
    fails(await api(server).put(SET, { body: {} }), 401, 'Unauthorized');
  });
});
