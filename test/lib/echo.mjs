// A server that speaks only Engine.IO and Socket.IO (test/echo/socketio_echo.c: what its events do is
// said there), and clients that say packet for packet what a test wants said.
import { spawn } from 'node:child_process';
import path from 'node:path';
import WebSocket from 'ws';
import { agentFor, api } from './client.mjs';
import { root, sanitizerEnv } from './paths.mjs';
import { until, within } from './wait.mjs';

const program = path.join(root, 'build/asan/test/socketio_echo');
const running = new Set();
process.on('exit', () => { for (const child of running) child.kill('SIGKILL'); });

/** Times as short as the protocols' own test suites use them; settings: see the program. */
export async function startEcho(settings = {}) {
  const echo = new Echo(settings);
  await echo.start();
  return echo;
}

class Echo {
  constructor(settings) {
    this.args = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    this.said = [];
    this.errors = '';
  }

  async start() {
    this.child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...this.args],
      { env: { ...process.env, ...sanitizerEnv }, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.child);
    let rest = '';
    this.child.stdout.setEncoding('utf8').on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      this.said.push(...lines);
    });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.errors += text; });
    this.exited = new Promise((resolve) => {
      this.child.on('close', (code, signal) => { running.delete(this.child); this.code = code ?? signal; resolve(); });
    });
    const line = await this.line(/^listening (\d+)$/);
    this.url = `http://127.0.0.1:${line[1]}`;
    this.agent = agentFor(this.url);
  }

  get pid() { return this.child.pid; }

  /** The first line it printed that looks like this, and from now on none before it counts. */
  line(pattern) {
    return until(() => {
      if (this.code !== undefined) throw new Error(`the echo server has ended: ${this.code}\n${this.errors}`);
      const at = this.said.findIndex((text) => pattern.test(text));
      return at >= 0 && pattern.exec(this.said.splice(0, at + 1).pop());
    }, `the line ${pattern}`);
  }

  /** Drains, and must have found nothing wrong. */
  async stop() {
    if (this.code === undefined) this.child.kill('SIGTERM');
    await within(this.exited, 10_000, 'the echo server to end');
    this.agent?.destroy();
    if (this.code !== 0) throw new Error(`the echo server ended with ${this.code}\n${this.errors}`);
  }

  async metric(name) {
    const { text } = await api(this).get('/metrics');
    return Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
  }
}

/** A session that polls: open(), poll(), post(packets…). Replies as api()'s. */
export class Polling {
  constructor(server, where = '/engine.io/') {
    this.server = server;
    this.where = where;
    this.api = api(server);
  }

  url(more = {}) {
    const query = new URLSearchParams({ EIO: '4', transport: 'polling', ...(this.sid && { sid: this.sid }), ...more });
    return `${this.where}?${query}`;
  }

  async open(options) {
    const reply = await this.api.get(this.url(), options);
    this.handshake = JSON.parse(reply.text.slice(1));
    this.sid = this.handshake.sid;
    return this;
  }

  poll(options) { return this.api.get(this.url(), options); }

  post(...packets) {
    const headers = { 'content-type': 'text/plain;charset=UTF-8' };
    return this.api.post(this.url(), { body: packets.join('\x1e'), headers });
  }

  /** The packets of one poll. */
  async packets() { return (await this.poll()).text.split('\x1e'); }
}

export async function pollingSession(server, where) {
  return new Polling(server, where).open();
}

/** A WebSocket that takes packets one by one; pings are answered and passed over unless `pings`. */
export class Packets {
  constructor(server, query = {}, { where = '/engine.io/', pings = false, headers } = {}) {
    const search = new URLSearchParams({ EIO: '4', transport: 'websocket', ...query });
    this.ws = new WebSocket(`${server.url.replace('http', 'ws')}${where}?${search}`,
      { headers, rejectUnauthorized: false, perMessageDeflate: false });
    this.packets = [];
    this.at = 0;
    this.ws.on('message', (data) => {
      const text = data.toString();
      if (text === '2' && !pings) this.ws.send('3');
      else this.packets.push(text);
    });
    this.ws.on('error', (error) => { this.error = error; });
    this.ws.on('close', (code) => { this.code = code; });
    this.ws.on('unexpected-response', (request, reply) => {
      let text = '';
      reply.on('data', (part) => { text += part; }).on('end', () => {
        this.refused = { status: reply.statusCode, text };
        this.code ??= 1006;
      });
    });
  }

  send(...packets) { for (const packet of packets) this.ws.send(packet); }

  /** The next packet, whatever it is. */
  async next(options) {
    await until(() => {
      if (this.packets.length > this.at) return true;
      if (this.code !== undefined) throw new Error(`closed with ${this.code}`);
      return false;
    }, 'a packet', { ...options, final: (error) => /closed/.test(error.message) });
    return this.packets[this.at++];
  }

  opened() { return until(() => this.ws.readyState === WebSocket.OPEN, 'the WebSocket to open'); }

  /** Waits until the server has closed; the code. */
  async closed(options) {
    await until(() => this.code !== undefined, 'the WebSocket to close', options);
    return this.code;
  }

  close() { this.ws.terminate(); }
}

export async function webSocketSession(server, options) {
  const session = new Packets(server, {}, options);
  session.handshake = JSON.parse((await session.next()).slice(1));
  session.sid = session.handshake.sid;
  return session;
}

/** A WebSocket connected to a namespace of Socket.IO. */
export async function socketIoConnection(server, options = {}) {
  const session = await webSocketSession(server, { where: '/socket.io/', ...options });
  session.send('40');
  await session.next();      // CONNECT
  await session.next();      // "auth"
  return session;
}
