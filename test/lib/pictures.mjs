// Pictures made here, and the forms that carry them.
import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

export function chunkOf(type, data) {
  const all = Buffer.alloc(12 + data.length);
  all.writeUInt32BE(data.length, 0);
  all.write(type, 4, 'latin1');
  data.copy(all, 8);
  all.writeUInt32BE(crc32(all.subarray(4, 8 + data.length)), 8 + data.length);
  return all;
}

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex');

/** A PNG; pixel(x, y): [red, green, blue, opacity]. `says`: another size in its header; `more`: further chunks. */
export function png(width, height, { pixel = () => [200, 30, 30, 255], says = [width, height], more = [] } = {}) {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(says[0], 0);
  head.writeUInt32BE(says[1], 4);
  head.set([8, 6, 0, 0, 0], 8);
  const rows = Buffer.alloc((width * 4 + 1) * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows.set(pixel(x, y), y * (width * 4 + 1) + 1 + x * 4);
  }
  return Buffer.concat([SIGNATURE, chunkOf('IHDR', head), ...more, chunkOf('IDAT', deflateSync(rows)),
    chunkOf('IEND', Buffer.alloc(0))]);
}

/** A chunk of text, as cameras and editors leave them. */
export const textChunk = (text) => chunkOf('tEXt', Buffer.from(`Comment\0${text}`, 'latin1'));

/** A JPEG with EXIF in front: an orientation, and a text. */
export function withExif(jpeg, orientation, text = '') {
  const tiff = Buffer.alloc(26);
  tiff.write('II*\0', 0, 'latin1');
  tiff.writeUInt32LE(8, 4);
  tiff.writeUInt16LE(1, 8);
  tiff.writeUInt16LE(0x0112, 10);
  tiff.writeUInt16LE(3, 12);
  tiff.writeUInt32LE(1, 14);
  tiff.writeUInt16LE(orientation, 18);
  const body = Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff, Buffer.from(text)]);
  const marker = Buffer.from([0xff, 0xe1, (body.length + 2) >> 8, (body.length + 2) & 255]);
  return Buffer.concat([jpeg.subarray(0, 2), marker, body, jpeg.subarray(2)]);
}

/** Where the frame header of a JPEG stands. */
export function frameOf(jpeg) {
  for (let at = 2; at < jpeg.length;) {
    const marker = jpeg[at + 1];
    if (marker >= 0xc0 && marker <= 0xc2) return at;
    at += 2 + jpeg.readUInt16BE(at + 2);
  }
  throw new Error('no frame');
}

/** { type, width, height } of a JPEG or a PNG. */
export function sizeOf(picture) {
  if (picture.subarray(0, 8).equals(SIGNATURE)) {
    return { type: 'png', width: picture.readUInt32BE(16), height: picture.readUInt32BE(20) };
  }
  assert.equal(picture.readUInt16BE(0), 0xffd8, 'a JPEG');
  const at = frameOf(picture);
  return { type: 'jpeg', width: picture.readUInt16BE(at + 7), height: picture.readUInt16BE(at + 5) };
}

/** The body and headers of a form with one file. */
export function form(file, { field = 'profile_img', name = 'me.png', type = 'image/png', boundary = 'a-boundary',
  before = '' } = {}) {
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${name}"\r\n`
    + `Content-Type: ${type}\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(before + head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return { body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } };
}

export const send = (person, file, options) => person.api.post('/user/update-profile-img', form(file, options));

/** Uploads it; the address of what was made of it. */
export async function upload(person, file, options) {
  const reply = await send(person, file, options);
  assert.equal(reply.status, 200, reply.text);
  return reply.json.profile_img;
}
