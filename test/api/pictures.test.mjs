// Pictures: USR-14, 45 and 71. What comes is streamed into a file without a name, recognised by its content, made anew
// without anything but pixels, and served; what is no picture, or pretends to be another, is refused.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { api, raw } from '../lib/client.mjs';
import { chunkOf, form, frameOf, png, send, sizeOf, textChunk, upload, withExif } from '../lib/pictures.mjs';
import { query } from '../lib/pg.mjs';
import { startServer } from '../lib/server.mjs';
import { fails } from '../lib/shapes.mjs';
import { signUp } from '../lib/userstate.mjs';
import { until } from '../lib/wait.mjs';

const MIB = 1 << 20;
let server;
let client;
let ada;
before(async () => { server = await startServer(); client = api(server); ada = await signUp(server); });
after(() => server?.stop());

const fetched = async (where) => {
  const reply = await fetch(new URL(where, server.url));
  return { status: reply.status, headers: reply.headers, bytes: Buffer.from(await reply.arrayBuffer()) };
};
/** What the server makes of it. */
const remade = async (file, options) => (await fetched(await upload(ada, file, options))).bytes;
const filesIn = (folder) => { try { return readdirSync(path.join(server.dataDir, folder)); } catch { return []; } };
const gradient = (x, y) => [x & 255, y & 255, (x + y) & 255, 255];

describe('a picture', () => {
  test('is stored, shown in the profile and served as what it is, to be kept for good', async () => {
    const reply = await send(ada, png(300, 200, { pixel: gradient }));
    assert.equal(reply.status, 200, reply.text);
    const where = reply.json.profile_img;
    assert.match(where, /^\/resources\/user_profile_img\/[0-9a-f]{32}\.jpg$/);
    assert.deepEqual(reply.json, { status: true, message: 'Profile image updated', profile_img: where });
    assert.equal((await ada.api.get('/user/profile')).json.profile_img, where);
    const shown = await fetched(where);
    assert.equal(shown.status, 200);
    assert.equal(shown.headers.get('content-type'), 'image/jpeg');
    assert.equal(shown.headers.get('x-content-type-options'), 'nosniff');
    assert.match(shown.headers.get('cache-control'), /immutable/);
    assert.deepEqual(sizeOf(shown.bytes), { type: 'jpeg', width: 300, height: 200 });
    assert.equal((await client.head(where)).headers['content-length'], String(shown.bytes.length));
  });

  test('takes the place of the former one, whose file is removed', async () => {
    const ben = await signUp(server);
    const first = await upload(ben, png(10, 10));
    const second = await upload(ben, png(20, 20));
    await until(() => !filesIn('resources/user_profile_img').includes(path.basename(first)), 'the former to be gone');
    assert.equal((await fetched(first)).status, 404);
    assert.equal((await fetched(second)).status, 200);
  });

  test('of many at the same moment one stays', async () => {
    const ben = await signUp(server);
    const before = filesIn('resources/user_profile_img').length;
    const places = await Promise.all(Array.from({ length: 8 }, (_, i) => upload(ben, png(10 + i, 10))));
    const { profile_img: winner } = (await ben.api.get('/user/profile')).json;
    await until(() => filesIn('resources/user_profile_img').length === before + 1, 'the others to be gone');
    const alive = await Promise.all(places.map(async (place) => (await fetched(place)).status));
    assert.deepEqual(alive, places.map((place) => (place === winner ? 200 : 404)));
  });

  test('is at most 1024 on a side, in its own proportions', async () => {
    for (const [[width, height], expected] of [[[2048, 1024], [1024, 512]], [[1500, 3000], [512, 1024]],
      [[1024, 1024], [1024, 1024]], [[4000, 3], [1024, 1]], [[1, 1], [1, 1]]]) {
      const made = sizeOf(await remade(png(width, height)));
      assert.deepEqual([made.width, made.height], expected, `${width} x ${height}`);
    }
  });

  test('with transparency stays a PNG', async () => {
    const made = await remade(png(20, 10, { pixel: (x) => [0, 0, 0, x < 10 ? 0 : 255] }));
    assert.deepEqual(sizeOf(made), { type: 'png', width: 20, height: 10 });
  });

  test('is a JPEG or a WebP as well, whatever name and type are sent with it', async () => {
    const jpeg = await remade(png(64, 32, { pixel: gradient }));
    for (const file of [jpeg, Buffer.from('UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==', 'base64'),
      Buffer.from('UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA', 'base64')]) {
      sizeOf(await remade(file, { name: 'evil.php', type: 'text/html' }));
    }
  });

  test('loses what it tells besides: texts, places, the way the camera was held', async () => {
    const secret = 'where I live';
    assert.ok(!(await remade(png(20, 10, { more: [textChunk(secret)] }))).includes(secret));
    const jpeg = await remade(png(64, 32, { pixel: gradient }));
    const made = await remade(withExif(jpeg, 6, secret));
    assert.ok(!made.includes(secret) && !made.includes('Exif'));
    assert.deepEqual(sizeOf(made), { type: 'jpeg', width: 32, height: 64 }, 'it stands upright');
    assert.deepEqual(sizeOf(await remade(withExif(jpeg, 3))), { type: 'jpeg', width: 64, height: 32 });
    assert.deepEqual(sizeOf(await remade(withExif(jpeg, 77))), { type: 'jpeg', width: 64, height: 32 });
  });
});

describe('what is no picture', () => {
  const texts = {
    'a script': '<script>alert(1)</script>',
    'a drawing with a script': '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    'a program': '#!/bin/sh\nrm -rf /\n',
    'another form of picture': 'GIF89a\x01\x00\x01\x00\x00\x00\x00;',
    'a picture\'s first bytes': '\x89PNG\r\n\x1a\n',
    'a JPEG\'s first bytes with a script': '\xff\xd8\xff\xe0<script>alert(1)</script>',
    'a WebP\'s head': 'RIFF\x24\x00\x00\x00WEBPVP8 ',
  };
  for (const [what, text] of Object.entries(texts)) {
    test(what, async () => fails(await send(ada, Buffer.from(text, 'latin1'), { name: 'a.png' }), 400,
      'Invalid file type'));
  }

  test('one that is cut off', async () => {
    const whole = png(200, 200, { pixel: gradient });
    const jpeg = await remade(whole);
    for (const file of [whole, jpeg]) {
      for (const part of [0.3, 0.6, 0.9]) {
        fails(await send(ada, file.subarray(0, Math.floor(file.length * part))), 400, 'Invalid file type');
      }
    }
  });

  test('a bomb of 30,000 x 30,000 is refused by its header', async () => {
    const bomb = png(1, 1, { says: [30_000, 30_000] });
    const jpeg = Buffer.from(await remade(png(64, 32)));
    const at = frameOf(jpeg);
    jpeg.writeUInt16BE(30_000, at + 5);
    jpeg.writeUInt16BE(30_000, at + 7);
    const long = png(1, 1, { says: [1, 2 ** 31 - 1] });
    const start = Date.now();
    for (const file of [bomb, jpeg, long]) fails(await send(ada, file), 400, 'Invalid file type');
    assert.ok(Date.now() - start < 5000, 'nothing was decoded');
  });

  test('a picture of 16,000 x 1,500 is one, and does not hold up others', async () => {
    const rows = Buffer.alloc((16_000 * 4 + 1) * 1500, 0xff);
    for (let y = 0; y < 1500; y++) rows[y * (16_000 * 4 + 1)] = 0;
    const small = png(1, 1);
    const big = Buffer.concat([png(1, 1, { says: [16_000, 1500] }).subarray(0, 33)]);
    const idat = deflateSync(rows);
    const file = Buffer.concat([big, chunkOf('IDAT', idat), small.subarray(small.length - 12)]);
    let done = false;
    const sending = send(ada, file).then((reply) => { done = true; return reply; });
    let slowest = 0;
    while (!done) {
      const start = Date.now();
      assert.equal((await client.get('/health')).status, 200);
      slowest = Math.max(slowest, Date.now() - start);
    }
    assert.equal((await sending).status, 200, (await sending).text);
    assert.ok(slowest < 1000, `/health took ${slowest} ms`);
  });
});

describe('the form', () => {
  test('must hold a file in its field', async () => {
    const post = (options) => ada.api.post('/user/update-profile-img', options);
    fails(await post(), 400, 'No file uploaded');
    fails(await post({ body: {} }), 400, 'No file uploaded');
    fails(await post(form(Buffer.alloc(0))), 400, 'No file uploaded');
    fails(await post(form(png(1, 1), { field: 'other' })), 400, 'No file uploaded');
    const text = '--b\r\nContent-Disposition: form-data; name="profile_img"\r\n\r\ntext\r\n--b--\r\n';
    fails(await post({ body: text, headers: { 'content-type': 'multipart/form-data; boundary=b' } }), 400,
      'No file uploaded');
  });

  test('may have other parts, a text before the first one, and a path for a name', async () => {
    const other = '--a-boundary\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n';
    for (const name of ['../../../../etc/passwd', '..\\..\\x.jpg', '/etc/passwd', '', 'x'.repeat(300), 'ä"; x="y']) {
      await upload(ada, png(2, 2), { before: `a text\r\n${other}`, name: name.replaceAll('"', '\\"') });
    }
    assert.deepEqual(filesIn('..').filter((name) => name === 'passwd'), []);
  });

  test('that is broken is refused, and the connection stays good', async () => {
    const { body, headers } = form(png(2, 2));
    for (const bad of [body.subarray(0, body.length - 8), Buffer.concat([Buffer.from('--a-boundary\r\nX: y\r\n\r\n'),
      body]),
      Buffer.from(`--a-boundary\r\n${'x'.repeat(5000)}`)]) {
      fails(await ada.api.post('/user/update-profile-img', { body: bad, headers }), 400, 'Malformed multipart body');
    }
    await upload(ada, png(2, 2));
  });

  test('comes in whatever pieces', async () => {
    const { body, headers } = form(png(6, 4, { pixel: gradient }));
    const connection = await raw(server);
    await connection.send(`POST /user/update-profile-img HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\n`
      + `Content-Type: ${headers['content-type']}\r\nContent-Length: ${body.length}\r\n\r\n`);
    await connection.sendSlowly(body, 1);
    assert.equal((await connection.reply()).status, 200);
    connection.close();
  });

  test('is sent in chunks, and further requests follow on the connection', async () => {
    const { body, headers } = form(png(60, 40, { pixel: gradient }));
    const connection = await raw(server);
    const chunks = [];
    for (let at = 0; at < body.length; at += 100) {
      const part = body.subarray(at, at + 100);
      chunks.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'));
    }
    await connection.send(Buffer.concat([Buffer.from('POST /user/update-profile-img HTTP/1.1\r\nHost: x\r\n'
      + `Authorization: Bearer ${ada.token}\r\nContent-Type: ${headers['content-type']}\r\n`
      + 'Transfer-Encoding: chunked\r\n\r\n'), ...chunks,
        Buffer.from('0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n')]));
    const [uploaded, health] = await connection.replies(2);
    assert.deepEqual([uploaded.status, health.status], [200, 200]);
    connection.close();
  });
});

describe('how much may come', () => {
  test('5 MiB and no more', async () => {
    const most = Buffer.concat([png(2, 2), Buffer.alloc(5 * MIB)]).subarray(0, 5 * MIB);
    assert.equal((await send(ada, most)).status, 200, 'what follows the picture\'s end is nothing');
    fails(await send(ada, Buffer.concat([most, Buffer.from('x')])), 413, 'File too large');
    fails(await send(ada, Buffer.alloc(6 * MIB)).catch(() => send(ada, Buffer.alloc(5 * MIB + 1))), 413,
      'File too large');
  });

  test('a body that says it is longer is not read', async () => {
    const connection = await raw(server);
    await connection.send(`POST /user/update-profile-img HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\n`
      + `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${50 * MIB}\r\n\r\n`);
    const reply = await connection.reply();
    fails({ ...reply, json: JSON.parse(reply.text) }, 413, 'File too large');
    await connection.closed();
  });

  test('who may not call is told before his body is read', async () => {
    for (const lines of ['', 'Authorization: Bearer x\r\n', 'Authorization: Basic eDp5\r\n']) {
      const connection = await raw(server);
      await connection.send(`POST /user/update-profile-img HTTP/1.1\r\nHost: x\r\n${lines}`
        + `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${4 * MIB}\r\n\r\n`);
      assert.equal((await connection.reply()).status, 401);
      await connection.closed();
    }
    fails(await client.post('/user/update-profile-img', form(png(2, 2))), 401, 'Unauthorized');
  });

  test('who waits for our word gets it when he may call', async () => {
    const { body, headers } = form(png(2, 2));
    const connection = await raw(server);
    await connection.send(`POST /user/update-profile-img HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ada.token}\r\n`
      + `Content-Type: ${headers['content-type']}\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
    assert.equal((await connection.reply()).status, 100);
    await connection.send(body);
    assert.equal((await connection.reply()).status, 200);
    connection.close();
  });

  test('who goes away in the middle leaves nothing', async () => {
    const before = (await query(server.database,
      'SELECT count(*)::int AS n FROM users WHERE avatar_url IS NOT NULL'))[0].n;
    for (const end of ['close', 'end']) {
      for (const size of [10, 300_000]) {
        const connection = await raw(server);
        await connection.send(`POST /user/update-profile-img HTTP/1.1\r\nHost: x\r\n`
          + `Authorization: Bearer ${ada.token}\r\nContent-Type: multipart/form-data; boundary=b\r\n`
          + `Content-Length: ${4 * MIB}\r\n\r\n--b\r\n`
          + `Content-Disposition: form-data; name="profile_img"; filename="x"\r\n\r\n${'x'.repeat(size)}`);
        connection[end]();
        if (end === 'end') await connection.closed();
      }
    }
    await until(() => server.logs.filter(({ path: where, status }) => where === '/user/update-profile-img'
      && Number(status) === 400).length >= 4, 'the four to be over');
    assert.deepEqual(filesIn('tmp'), [], 'no file has a name');
    assert.equal((await query(server.database,
      'SELECT count(*)::int AS n FROM users WHERE avatar_url IS NOT NULL'))[0].n, before);
    await upload(ada, png(2, 2));
  });

  test('fifty at once are all answered', async () => {
    const big = Buffer.concat([png(500, 500, { pixel: gradient }), Buffer.alloc(MIB)]);
    const replies = await Promise.all(Array.from({ length: 50 }, () => send(ada, big)));
    // One is being turned, fifty may wait for it.
    for (const { status, text } of replies) assert.equal(status, 200, text);
  });
});

describe('paths', () => {
  test('lead nowhere else', async () => {
    for (const bad of ['..%2f..%2fkeystore%2fjwt.key', '%2e%2e%2f%2e%2e%2fx', '..', '.', '%00', 'a%00.jpg', '.hidden',
      'none.jpg',
      '..%5cx', 'x'.repeat(300), '%ff']) {
      for (const folder of ['resources/user_profile_img', 'images']) {
        const connection = await raw(server);
        await connection.send(`GET /${folder}/${bad} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
        assert.equal((await connection.reply()).status, 404, `${folder}/${bad}`);
        connection.close();
      }
    }
  });

  test('of offers are the operator\'s own pictures, and nothing that is none', async () => {
    const folder = path.join(server.dataDir, 'images');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, 'offer1.jpg'), png(3, 3));
    writeFileSync(path.join(folder, 'page.png'), '<script>alert(1)</script>');
    symlinkSync('/etc/passwd', path.join(folder, 'link.jpg'));
    mkdirSync(path.join(folder, 'folder.jpg'));
    const shown = await fetched('/images/offer1.jpg');
    assert.deepEqual([shown.status, shown.headers.get('content-type')], [200, 'image/png'], 'by its content');
    assert.match(shown.headers.get('cache-control'), /max-age=3600/);
    assert.match(shown.headers.get('content-security-policy'), /sandbox/);
    for (const name of ['page.png', 'link.jpg', 'folder.jpg', 'none.jpg']) {
      fails(await client.get(`/images/${name}`), 404, 'Not Found');
    }
  });
});
