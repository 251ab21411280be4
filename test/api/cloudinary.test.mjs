// USR-14 with Cloudinary: the picture goes there, signed, and its address is what the provider answers; the former one
// is destroyed there, however long that takes. What the provider does not take is a 502, and nothing has changed.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { api } from '../lib/client.mjs';
import { API_SECRET, fieldsOf, startCloudinary } from '../lib/cloudinary.mjs';
import { execute, query } from '../lib/pg.mjs';
import { png, send, sizeOf, upload } from '../lib/pictures.mjs';
import { MOODS, stallsWhile } from '../lib/provider.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { signUp } from '../lib/userstate.mjs';
import { until } from '../lib/wait.mjs';

let cloudinary;
let server;
let ada;
before(async () => {
  cloudinary = await startCloudinary();
  server = await startServer({ env: cloudinary.env });
  ada = await signUp(server);
});
after(async () => {
  await server?.stop();
  await cloudinary?.close();
});
beforeEach(() => { cloudinary.mood = null; });

const rows = () => query(server.database, 'SELECT * FROM picture_removals ORDER BY id');
const dueNow = () => execute(server.database,
  'UPDATE picture_removals SET next_try_at = now() WHERE status = \'waiting\'');
const pictureOf = async (person) => (await person.api.get('/user/profile')).json.profile_img;
const stored = () => [...cloudinary.pictures.values()].map(({ url }) => url).sort();
const calls = (what) => cloudinary.calls.filter((call) => call.path.endsWith(`/image/${what}`));

describe('a picture', () => {
  test('is uploaded, signed, into the folder of people\'s, and shown by the provider\'s address', async () => {
    const where = await upload(ada, png(1500, 300));
    assert.match(where, /^https:\/\/res\.cloudinary\.com\/the-shop\/image\/upload\/v\d+\/avatars\/[0-9a-f]{32}\.jpg$/);
    assert.equal(await pictureOf(ada), where);
    const [[id, picture]] = cloudinary.pictures;
    assert.match(id, /^avatars\/[0-9a-f]{32}$/);
    assert.equal(picture.url, where);
    assert.equal(picture.type, 'image/jpeg');
    assert.deepEqual(sizeOf(picture.bytes), { type: 'jpeg', width: 1024, height: 204 });
    const [{ avatar_key: key }] = await query(server.database, `SELECT avatar_key FROM users
      WHERE username = '${ada.username}'`);
    assert.equal(key, id);
    assert.ok(!existsSync(path.join(server.dataDir, 'resources')), 'no file of ours');
    assert.deepEqual(await rows(), []);
  });

  test('with transparency is uploaded as a PNG', async () => {
    await upload(ada, png(20, 10, { pixel: (x) => [0, 0, 0, x * 10] }));
    assert.equal([...cloudinary.pictures.values()].at(-1).type, 'image/png');
  });

  test('takes the place of the former one, which is destroyed there and in its caches', async () => {
    const first = await pictureOf(ada);
    const second = await upload(ada, png(20, 20));
    await until(() => !stored().includes(first), 'the former to be destroyed');
    assert.deepEqual(stored(), [second]);
    const { invalidate, public_id: id } = fieldsOf(calls('destroy').at(-1));
    assert.equal(invalidate, 'true');
    assert.ok(first.includes(id));
    await until(async () => (await rows()).length === 0, 'that to be noted');
  });

  test('takes the place of one in a file, from before the provider was there', async () => {
    const before = await startServer({ database: server.database });
    const ben = await signUp(before);
    const file = path.join(before.dataDir, await upload(ben, png(10, 10)));
    assert.ok(existsSync(file));
    await before.stop();
    const now = await startServer({ database: server.database,
      env: { ...cloudinary.env, TALLY_DATA_DIR: before.dataDir } });
    const where = await upload({ api: api(now, { token: ben.token }) }, png(20, 20));
    await until(() => !existsSync(file), 'the file to be removed');
    assert.ok(stored().includes(where));
    await now.stop();
  });

  test('of many at the same moment one stays', async () => {
    const ben = await signUp(server);
    const before = stored().length;
    const places = await Promise.all(Array.from({ length: 8 }, (_, i) => upload(ben, png(10 + i, 10))));
    await until(() => stored().length === before + 1, 'the others to be destroyed');
    const winner = await pictureOf(ben);
    assert.ok(places.includes(winner) && stored().includes(winner));
  });

  test('that is none never gets there', async () => {
    const before = calls('upload').length;
    fails(await send(ada, Buffer.from('<script>')), 400, 'Invalid file type');
    assert.equal(calls('upload').length, before);
  });

  test('and neither the secret nor a signature is in the log', () => {
    const said = server.logs.map((line) => JSON.stringify(line)).join('\n') + server.output;
    assert.ok(said.includes('"active":"cloudinary"'));
    assert.ok(!said.includes(API_SECRET));
    for (const call of cloudinary.calls) assert.ok(!said.includes(fieldsOf(call).signature));
  });
});

describe('a provider that is in a bad state', () => {
  const refusals = {
    'refuses the key': { status: 401, json: { error: { message: 'Invalid Signature' } } },
    'refuses the picture': { status: 400, json: { error: { message: 'Invalid image file' } } },
    'has had too many calls': { status: 420, json: { error: { message: 'Rate Limit Exceeded' } } },
    'answers of another picture': { json: { public_id: 'avatars/other', secure_url: 'https://res.example/other.jpg' } },
    'answers without an address': { json: { public_id: 'avatars/x' } },
    'leads elsewhere': { status: 302, headers: { location: 'http://127.0.0.1:1/' }, json: {} },
  };
  const changesNothing = async () => {
    const before = [await pictureOf(ada), stored()];
    fails(await send(ada, png(30, 30), { timeout: 20_000 }), 502, 'Picture provider unavailable');
    assert.deepEqual([await pictureOf(ada), stored()], before);
  };

  for (const [what, said] of Object.entries(refusals)) {
    test(what, async () => {
      cloudinary.mood = said;
      await changesNothing();
    });
  }

  for (const mood of MOODS.filter((one) => !['hang', 'slow'].includes(one))) {
    test(mood, async () => {
      cloudinary.mood = mood;
      await changesNothing();
    });
  }

  test('an address that would be more than one', async () => {
    for (const bad of ['http://res.example/a.jpg', 'javascript:alert(1)', 'https://res.example/"><script>',
      'https://a b', `https://res.example/${'x'.repeat(2000)}`]) {
      cloudinary.mood = (call) => ({ json: { public_id: fieldsOf(call).public_id, secure_url: bad } });
      await changesNothing();
    }
  });

  test('hangs, or sends a byte now and then: a 502 after ten seconds, and nobody else waits', async () => {
    const before = [await pictureOf(ada), stored()];
    let mood = 'slow';
    cloudinary.mood = () => { mood = mood === 'slow' ? 'hang' : 'slow'; return mood; };
    const begun = Date.now();
    const sending = Array.from({ length: 16 }, () => ada.api.with({ timeout: 20_000 }))
      .map((client) => send({ api: client }, png(30, 30)));
    await until(() => cloudinary.provider.waiting === 16, 'sixteen to hang');
    const busy = await send(ada, png(30, 30));
    fails(busy, 503);
    assert.ok(Number(busy.headers['retry-after']) > 0);
    assert.equal(await stallsWhile(server, 50), 0);
    for (const reply of await Promise.all(sending)) fails(reply, 502, 'Picture provider unavailable');
    const took = Date.now() - begun;
    assert.ok(took > 9000 && took < 15_000, `${took} ms`);
    assert.deepEqual([await pictureOf(ada), stored()], before);
  });

  test('what it took although its answer was lost is destroyed later', async () => {
    cloudinary.mood = (call) => { cloudinary.answer(call); return 'cut'; };
    const before = stored();
    fails(await send(ada, png(30, 30)), 502, 'Picture provider unavailable');
    assert.equal(stored().length, before.length + 1, 'it has it');
    cloudinary.mood = null;
    await dueNow();
    await server.restart();
    await until(async () => (await rows()).length === 0, 'what was left to be destroyed');
    assert.deepEqual(stored(), before);
  });
});

describe('a removal', () => {
  test('that fails is due again after 30 s, 2 min, 10 min, also for the next process, and then given up', async () => {
    const former = await pictureOf(ada);
    const moods = ['broken', 'garbage', 'cut', { status: 401, json: { error: { message: 'Invalid Signature' } } }];
    cloudinary.mood = (call) => (call.path.endsWith('destroy') ? moods[0] : null);
    const newer = await upload(ada, png(50, 50));
    for (const [n, seconds] of [[1, 30], [2, 120], [3, 600]]) {
      await until(async () => {
        const [{ attempts, next_try_at: next }] = await rows();
        const left = (Date.parse(next) - Date.now()) / 1000;
        return attempts === n && left > seconds - 20 && left <= seconds + 1;
      }, `try ${n + 1} to be due in ${seconds} s`, { timeout: 40_000 });
      moods.shift();
      await server.kill();
      await dueNow();
      await server.start();
    }
    await until(async () => (await rows())[0].status === 'given_up', 'the picture to be given up');
    await server.logged('picture', 'given_up');
    assert.ok(stored().includes(former) && stored().includes(newer));
    await execute(server.database,
      'UPDATE picture_removals SET status = \'waiting\', attempts = 1, next_try_at = now()');
    cloudinary.mood = null;
    await server.restart();
    await until(() => !stored().includes(former), 'it to be destroyed when somebody asks for it again');
  });

  test('that hangs when the server is killed is done by the next one', async () => {
    const former = await pictureOf(ada);
    cloudinary.mood = (call) => (call.path.endsWith('destroy') ? 'hang' : null);
    const newer = await upload(ada, png(60, 60));
    await until(() => cloudinary.provider.waiting === 1, 'the removal to hang');
    await server.kill();
    cloudinary.mood = null;
    await dueNow();   // the lease of the killed one ends
    await server.start();
    await until(() => !stored().includes(former), 'the former to be destroyed');
    assert.ok(stored().includes(newer));
    assert.equal(await pictureOf(ada), newer);
  });

  test('of an upload during which the server was killed is done by the next one', async () => {
    const before = [await pictureOf(ada), stored()];
    let took = false;
    cloudinary.mood = (call) => { cloudinary.answer(call); took = true; return 'hang'; };
    const sending = send(ada, png(70, 70)).catch(() => 'cut off');
    await until(() => took, 'the provider to have it');
    await server.kill();
    assert.equal(await sending, 'cut off');
    cloudinary.mood = null;
    await dueNow();
    await server.start();
    await until(async () => (await rows()).length === 0, 'what was left to be destroyed');
    assert.deepEqual([await pictureOf(ada), stored()], before);
  });
});

test('settings that are not whole are refused at start, by name', async () => {
  const { CLOUDINARY_API_SECRET: secret, CLOUDINARY_API_KEY: key } = cloudinary.env;
  for (const env of [{ CLOUDINARY_NAME: 'x', CLOUDINARY_API_KEY: key }, { CLOUDINARY_API_SECRET: secret },
    { CLOUDINARY_NAME: 'a/../b', CLOUDINARY_API_KEY: key, CLOUDINARY_API_SECRET: secret }]) {
    await assert.rejects(startServer({ database: server.database, env }), /CLOUDINARY_NAME/);
  }
});
