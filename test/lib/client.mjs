// The clients that tests speak through: a small HTTP client with kept-alive connections, a raw
// socket for what no decent client would send, and a WebSocket that remembers every frame.
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import WebSocket from 'ws';
import { within } from './wait.mjs';

const TIMEOUT = 10_000;

/** A server is anything with { url, agent }; see server.mjs. */
export function agentFor(url, options = {}) {
  const { Agent } = url.startsWith('https:') ? https : http;
  return new Agent({ keepAlive: true, maxSockets: 64, rejectUnauthorized: false, ...options });
}

function exchange(server, method, path, { token, basic, body, headers = {}, timeout = TIMEOUT, agent } = {}) {
  const url = new URL(path, server.url);
  const bytes = body === undefined || Buffer.isBuffer(body) || typeof body === 'string' ? body : JSON.stringify(body);
  const all = { ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (basic) all.authorization = `Basic ${Buffer.from(basic).toString('base64')}`;
  if (bytes !== undefined && !Object.keys(all).some((name) => name.toLowerCase() === 'content-type')) {
    all['content-type'] = 'application/json';
  }
  if (bytes !== undefined) all['content-length'] = Buffer.byteLength(bytes);
  return new Promise((resolve, reject) => {
    const { request } = url.protocol === 'https:' ? https : http;
    const sent = request(url, { method, headers: all, agent: agent ?? server.agent, timeout }, (reply) => {
      const parts = [];
      reply.on('data', (part) => parts.push(part));
      reply.on('error', reject);
      reply.on('end', () => {
        const came = Buffer.concat(parts);
        const text = came.toString('utf8');
        const json = parse(text, reply.headers);
        resolve({ status: reply.statusCode, headers: reply.headers, bytes: came, text, json });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${path} within ${timeout} ms`)));
    sent.on('error', reject);
    sent.end(bytes);
  });
}

function parse(text, headers) {
  const isPlain = /json/.test(headers['content-type'] ?? '') && !headers['content-encoding'];
  return isPlain && text ? JSON.parse(text) : undefined;
}

/**
 * api(server).post('/api/accounts', { token, basic, body, headers, timeout }) → { status, headers, json, text, bytes }.
 * `defaults` are merged under each call's options, so api(server, { token }) speaks for one person.
 */
export function api(server, defaults = {}) {
  const request = (method, path, options = {}) => exchange(server, method, path, {
    ...defaults, ...options, headers: { ...defaults.headers, ...options.headers },
  });
  const client = { server, request, with: (more) => api(server, { ...defaults, ...more }) };
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    client[method.toLowerCase()] = (path, options) => request(method, path, options);
  }
  return client;
}

/** One connection and full control over what goes through it. */
export async function raw(server, { timeout = TIMEOUT } = {}) {
  const { protocol, hostname, port } = new URL(server.url);
  const to = { host: hostname, port: Number(port), rejectUnauthorized: false };
  const socket = protocol === 'https:' ? tls.connect(to) : net.connect(to);
  const connection = new Raw(socket, timeout);
  await connection.wait(() => connection.open, 'the connection to open');
  return connection;
}

class Raw {
  constructor(socket, timeout) {
    this.socket = socket;
    this.timeout = timeout;
    this.bytes = Buffer.alloc(0);
    this.open = false;
    this.ended = false;
    this.error = null;
    this.changed = () => {};
    socket.setNoDelay(true);
    const seen = (change) => (value) => { change(value); this.changed(); };
    socket.on(socket.encrypted ? 'secureConnect' : 'connect', seen(() => { this.open = true; }));
    socket.on('data', seen((part) => { this.bytes = Buffer.concat([this.bytes, part]); }));
    socket.on('end', seen(() => { this.ended = true; }));
    socket.on('close', seen(() => { this.ended = true; }));
    socket.on('error', seen((error) => { this.error = error; }));
  }

  async wait(condition, what, timeout = this.timeout) {
    const met = (async () => {
      for (;;) {
        const value = condition();
        if (value) return value;
        const said = this.bytes.toString('latin1').slice(0, 300);
        if (this.ended) throw new Error(`the connection ended before ${what}; it had said: ${said}`);
        await new Promise((resolve) => { this.changed = resolve; });
      }
    })();
    return within(met, timeout, what);
  }

  /** Writes all at once; resolves when the kernel has it. A peer that is gone is no error here. */
  send(bytes) {
    return new Promise((resolve) => { this.socket.write(bytes, () => resolve()); });
  }

  /** Writes `size` bytes at a time, each in a turn of its own, so that the server reads it in pieces. */
  async sendSlowly(bytes, size = 1) {
    const all = Buffer.from(bytes);
    for (let at = 0; at < all.length && !this.ended; at += size) {
      await this.send(all.subarray(at, at + size));
      await new Promise((resolve) => { setImmediate(resolve); });
    }
  }

  /** One HTTP reply: { status, headers (lower case), text }. `head`: it answers a HEAD. */
  async reply({ head = false, timeout } = {}) {
    const taken = await this.wait(() => takeReply(this.bytes, head, this.ended), 'a whole reply', timeout);
    this.bytes = this.bytes.subarray(taken.length);
    return taken.reply;
  }

  async replies(n, options) {
    const all = [];
    while (all.length < n) all.push(await this.reply(options));
    return all;
  }

  /** Waits until the server has closed; returns what it had said that nobody has taken. */
  async closed({ timeout = this.timeout } = {}) {
    await this.wait(() => this.ended, 'the server to close the connection', timeout);
    return this.bytes.toString('utf8');
  }

  close() { this.socket.destroy(); }
  end() { this.socket.end(); }
  /** Stops and starts reading: a peer that lets the server's bytes pile up. */
  pause() { this.socket.pause(); }
  resume() { this.socket.resume(); }
}

function takeReply(bytes, head, ended) {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [first, ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const status = Number(first.split(' ')[1]);
  const headers = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  }
  const body = end + 4;
  const done = (text, length) => ({ reply: { status, headers, text }, length });
  if (head || status < 200 || status === 204 || status === 304) return done('', body);
  if (headers['transfer-encoding'] === 'chunked') return takeChunks(bytes, body, done);
  if (headers['content-length'] === undefined) return ended ? done(bytes.toString('utf8', body), bytes.length) : null;
  const length = Number(headers['content-length']);
  return bytes.length < body + length ? null : done(bytes.toString('utf8', body, body + length), body + length);
}

function takeChunks(bytes, start, done) {
  const parts = [];
  for (let at = start; ;) {
    const line = bytes.indexOf('\r\n', at);
    if (line < 0) return null;
    const size = parseInt(bytes.toString('latin1', at, line), 16);
    const next = line + 2 + size + 2;
    if (bytes.length < next) return null;
    if (size === 0) return done(Buffer.concat(parts).toString('utf8'), next);
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    at = next;
  }
}

/**
 * A WebSocket on /ws, open when this resolves. options: token (as Bearer), protocols, headers,
 * cursor, path. An upgrade that is refused rejects with error.status and error.text.
 */
export async function socket(server, options = {}) {
  const { token, protocols = [], headers = {}, cursor, path = '/ws', timeout = TIMEOUT, ...rest } = options;
  const url = new URL(path, server.url.replace(/^http/, 'ws'));
  if (cursor) url.searchParams.set('cursor', cursor);
  const all = token ? { authorization: `Bearer ${token}`, ...headers } : headers;
  const settings = { headers: all, rejectUnauthorized: false, perMessageDeflate: false, ...rest };
  const ws = new WebSocket(url, protocols, settings);
  const client = new Socket(ws, timeout);
  await within(client.opened, timeout, `the upgrade of ${url.pathname}`);
  return client;
}

class Socket {
  constructor(ws, timeout) {
    this.ws = ws;
    this.timeout = timeout;
    this.frames = [];       // every frame that came, in order, parsed
    this.waiting = [];      // those that nobody has taken by next() or until()
    this.end = null;        // { code, reason } once closed
    this.changed = new Set();
    const wake = () => { for (const resolve of this.changed) resolve(); this.changed.clear(); };
    this.opened = new Promise((resolve, reject) => {
      ws.on('open', resolve);
      ws.on('error', reject);
      ws.on('unexpected-response', (request, reply) => refused(reply).then(reject));
    });
    ws.on('message', (bytes, binary) => {
      const frame = binary ? bytes : JSON.parse(bytes.toString('utf8'));
      this.frames.push(frame);
      this.waiting.push(frame);
      wake();
    });
    ws.on('close', (code, reason) => { this.end = { code, reason: reason.toString('utf8') }; wake(); });
  }

  /** The next frame of this type that nobody has taken yet; others stay for later. */
  next(type, options) {
    return this.until((frame) => frame.type === type, { what: `a frame ${type}`, ...options });
  }

  /** The first frame that nobody has taken yet and that fits. */
  async until(predicate, { what = 'a frame that fits', timeout = this.timeout } = {}) {
    const met = (async () => {
      for (;;) {
        const at = this.waiting.findIndex(predicate);
        if (at >= 0) return this.waiting.splice(at, 1)[0];
        if (this.end) throw new Error(`the socket closed (${this.end.code} ${this.end.reason}) before ${what}`);
        await new Promise((resolve) => { this.changed.add(resolve); });
      }
    })();
    try {
      return await within(met, timeout, what);
    } catch (error) {
      error.message += `; frames so far: ${JSON.stringify(this.frames.slice(-10))}`;
      throw error;
    }
  }

  /** Objects go as JSON, texts and Buffers as they are. */
  send(frame) {
    this.ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** { code, reason } of the close. */
  async closed({ timeout = this.timeout } = {}) {
    const met = (async () => {
      while (!this.end) await new Promise((resolve) => { this.changed.add(resolve); });
      return this.end;
    })();
    return within(met, timeout, 'the socket to close');
  }

  /** A polite goodbye; resolves when the server has said it too. */
  close(code = 1000) {
    this.ws.close(code);
    return this.closed();
  }

  /** Gone without a word. */
  terminate() { this.ws.terminate(); }
  pause() { this.ws.pause(); }
  resume() { this.ws.resume(); }
}

async function refused(reply) {
  let text = '';
  reply.setEncoding('utf8');
  for await (const part of reply) text += part;
  const status = reply.statusCode;
  return Object.assign(new Error(`the upgrade was answered with ${status}`), { status, text });
}
