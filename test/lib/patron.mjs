// A stock Socket.IO client, untouched, that remembers every event: { name, args } in order. The last argument
// of an event that can be resent is the offset, which the client keeps by itself.
import { io } from 'socket.io-client';
import { until, within } from './wait.mjs';

const TIMEOUT = 10_000;
export const WAYS = { polling: ['polling'], websocket: ['websocket'], default: ['polling', 'websocket'] };

const open = new Set();

/** For after(): who is still connected would keep the test's process alive. */
export const leaveAll = () => { for (const one of open) one.socket.disconnect(); };

export class Patron {
  /** namespace: '/' or '/rewards'. auth: an object, or a function that gives one. headers: of the handshake. */
  constructor(server, { namespace = '/', auth, headers, transports = WAYS.websocket, ...options } = {}) {
    this.events = [];
    this.ends = [];           // why it was disconnected, each time
    this.connects = [];       // { recovered } of each time it was connected
    this.errors = [];
    this.socket = io(server.url + namespace, {
      transports, auth, extraHeaders: headers, forceNew: true, rejectUnauthorized: false,
      reconnectionDelay: 20, reconnectionDelayMax: 100, randomizationFactor: 0, ...options,
    });
    this.socket.onAny((name, ...args) => this.events.push({ name, args }));
    this.socket.on('connect', () => this.connects.push({ recovered: Boolean(this.socket.recovered) }));
    this.socket.on('disconnect', (reason) => this.ends.push(reason));
    this.socket.on('connect_error', (error) => this.errors.push(error.message));
    open.add(this);
  }

  async connected(times = 1, { timeout = TIMEOUT } = {}) {
    const what = `the client to connect ${times} times (${this.errors})`;
    await until(() => this.connects.length >= times, what, { timeout });
    return this;
  }

  ask(name, ...args) { return this.socket.timeout(TIMEOUT).emitWithAck(name, ...args); }

  of(name) { return this.events.filter((event) => event.name === name); }
  /** The payloads of the events with this name. */
  said(name) { return this.of(name).map(({ args }) => args[0]); }

  async heard(name, n = 1, { timeout = TIMEOUT } = {}) {
    await until(() => this.of(name).length >= n, `${n} events ${name}`, { timeout }).catch((error) => {
      error.message += `; so far: ${JSON.stringify(this.events.slice(-5))}`;
      throw error;
    });
    return this.said(name);
  }

  async refused() {
    await until(() => this.errors.length, 'a refusal');
    return this.errors[0];
  }

  /**
   * The connection is lost without a word, and the client does not come back before comeBack(). What has come over the
   * network but was not read yet is lost with it: what is read in the very step that closes (by `ws`, or when an
   * upgrade is being finished), the stock client keeps for later and asks for again, too. No network closes then.
   */
  async cut() {
    const manager = this.socket.io;
    const ends = this.ends.length;
    await until(() => !manager.engine.upgrading, 'the upgrade to be over');
    const { transport } = manager.engine;
    manager.reconnection(false);
    if (transport.ws) transport.ws.onmessage = null;
    (transport.ws?.terminate ?? transport.ws?.close)?.call(transport.ws);
    if (!transport.ws) manager.engine.close();
    await until(() => this.ends.length > ends, 'the client to notice');
  }

  /** `server`: another one, of the same database. */
  async comeBack(server) {
    const times = this.connects.length + 1;
    const manager = this.socket.io;
    if (server) manager.uri = server.url;
    manager.reconnection(true);
    this.socket.connect();
    await this.connected(times, { timeout: 20_000 });
    return this.connects.at(-1).recovered;
  }

  async leave() {
    open.delete(this);
    const gone = new Promise((resolve) => {
      if (!this.socket.connected) resolve();
      this.socket.on('disconnect', resolve);
    });
    this.socket.disconnect();
    await within(gone, TIMEOUT, 'the client to be gone');
  }
}

/** A connected patron of the person's. */
export const patron = (server, who, options = {}) => new Patron(server, {
  auth: who ? { token: who.token } : undefined, ...options,
}).connected();
