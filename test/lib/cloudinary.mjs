// A Cloudinary on 127.0.0.1, as far as its public interface is used: signed uploads, and their destruction. It keeps
// the pictures it has, checks every signature, and `mood` (see provider.mjs) makes it misbehave.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { startProvider } from './provider.mjs';

export const NAME = 'the-shop';
export const API_KEY = '874837483274837';
export const API_SECRET = 'a secret of the picture provider';

/** env: what a server needs to know of it. pictures: { url, type, bytes } by public id. */
export async function startCloudinary() {
  const pictures = new Map();
  const cloudinary = { pictures, mood: null, answer: (call) => answer(pictures, call) };
  const provider = await startProvider((call) => {
    const mood = typeof cloudinary.mood === 'function' ? cloudinary.mood(call) : cloudinary.mood;
    return mood ?? cloudinary.answer(call);
  });
  return Object.assign(cloudinary, {
    provider,
    calls: provider.calls,
    env: { CLOUDINARY_NAME: NAME, CLOUDINARY_API_KEY: API_KEY, CLOUDINARY_API_SECRET: API_SECRET,
      CLOUDINARY_BASE_URL: provider.url },
    close: provider.close,
  });
}

const problem = (status, message) => ({ status, json: { error: { message } } });

/** The fields of a form by name: texts, or { type, bytes }. */
export function fieldsOf({ headers, bytes }) {
  const [, boundary] = /^multipart\/form-data; boundary=([0-9a-zA-Z]+)$/.exec(headers['content-type']);
  const parts = bytes.toString('latin1').split(`--${boundary}`);
  assert.equal(parts.shift(), '');
  assert.equal(parts.pop(), '--\r\n');
  return Object.fromEntries(parts.map((part) => {
    const end = part.indexOf('\r\n\r\n');
    const head = part.slice(0, end);
    const content = Buffer.from(part.slice(end + 4, -2), 'latin1');
    const [, name] = /; name="(\w+)"/.exec(head);
    const [, type] = /Content-Type: (\S+)/.exec(head) ?? [];
    return [name, type ? { type, bytes: content } : content.toString()];
  }));
}

/** As the provider documents it: all parameters but these, by name, the secret behind them. */
export function signatureOf(fields, secret = API_SECRET) {
  const unsigned = ['file', 'api_key', 'signature', 'resource_type', 'cloud_name'];
  const text = Object.keys(fields).filter((name) => !unsigned.includes(name)).sort()
    .map((name) => `${name}=${fields[name]}`).join('&');
  return createHash('sha1').update(text + secret).digest('hex');
}

function answer(pictures, call) {
  const [, action] = /^\/v1_1\/the-shop\/image\/(upload|destroy)$/.exec(call.path) ?? [];
  if (call.method !== 'POST' || !action) return problem(404, 'Not Found');
  const fields = fieldsOf(call);
  if (fields.api_key !== API_KEY) return problem(401, 'Unknown API key');
  if (fields.signature !== signatureOf(fields)) return problem(401, 'Invalid Signature');
  if (Math.abs(Date.now() / 1000 - Number(fields.timestamp)) > 3600) return problem(400, 'Stale request');
  const { public_id: id, file } = fields;
  if (action === 'destroy') return { json: { result: pictures.delete(id) ? 'ok' : 'not found' } };
  if (!file?.bytes.length) return problem(400, 'Missing required parameter - file');
  const format = file.type === 'image/png' ? 'png' : 'jpg';
  const version = Math.floor(Date.now() / 1000);
  const where = `//res.cloudinary.com/${NAME}/image/upload/v${version}/${id}.${format}`;
  pictures.set(id, { url: `https:${where}`, ...file });
  return { json: { asset_id: 'b5e6d2b39ba3e0869d67141ba7dba6cf', public_id: id, version, format, resource_type: 'image',
    bytes: file.bytes.length, url: `http:${where}`, secure_url: `https:${where}` } };
}
