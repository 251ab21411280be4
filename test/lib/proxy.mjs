// A fault proxy between a server and PostgreSQL, on unix sockets. It knows no more of the protocol
// than each connection's startup packet, so that a test may hurt only the replication connection,
// say. Every fault takes { only: (connection) => boolean }; without it, it means all.
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { until } from './wait.mjs';

const everybody = () => true;

/** In front of `url`; give proxy.url to the server. */
export async function startProxy(url) {
  const upstream = new URL(url.replace('///', '//localhost/')).searchParams;
  const socketName = `.s.PGSQL.${upstream.get('port')}`;
  const dir = mkdtempSync(path.join(tmpdir(), 'tally-proxy.'));
  const proxy = new Proxy(path.join(upstream.get('host'), socketName), dir);
  proxy.url = url.replace(`host=${upstream.get('host')}`, `host=${dir}`);
  await new Promise((resolve, reject) => {
    proxy.listener.on('error', reject).listen(path.join(dir, socketName), resolve);
  });
  return proxy;
}

class Proxy {
  constructor(upstream, dir) {
    Object.assign(this, { upstream, dir, refusing: false, accepted: 0 });
    this.connections = new Set();
    this.rules = [];        // faults that also hold for connections still to come
    this.listener = net.createServer({ allowHalfOpen: true }, (client) => this.accept(client));
  }

  accept(client) {
    this.accepted += 1;
    if (this.refusing) {
      client.destroy();
      return;
    }
    this.connections.add(new Connection(this, client, net.connect({ path: this.upstream, allowHalfOpen: true })));
  }

  those(only = everybody) { return [...this.connections].filter(only); }

  /** Closes connections in both directions at once. */
  cut({ only } = {}) { for (const connection of this.those(only)) connection.destroy(); }

  /** PostgreSQL is away: everything is cut and new connections end at once. up() ends it. */
  down() { this.refusing = true; this.cut(); }
  up() { this.refusing = false; }

  /**
   * Lets `toServer` or `fromServer` more bytes through, counted over the chosen connections
   * together, then cuts the connection that wanted to send more. Resolves when that has happened.
   */
  cutAfter({ toServer, fromServer, only }) {
    const direction = toServer === undefined ? 'fromServer' : 'toServer';
    let left = toServer ?? fromServer;
    return this.cutWhen(direction, (bytes) => {
      const allowed = Math.min(left, bytes.length);
      left -= allowed;
      return allowed < bytes.length ? allowed : -1;
    }, { only });
  }

  /**
   * Shows `decide(bytes, connection)` all that goes by in a direction until it returns a number
   * but -1 (or true): so many of these bytes are delivered (all of them), then that connection is
   * cut. Resolves with the connection when that has happened.
   */
  cutWhen(direction, decide, { only = everybody } = {}) {
    return new Promise((resolve) => {
      const rule = (connection, from, bytes) => {
        if (from !== direction || !only(connection)) return null;
        const verdict = decide(bytes, connection);
        if (verdict === false || verdict === -1 || verdict === undefined) return null;
        this.rules.splice(this.rules.indexOf(rule), 1);
        resolve(connection);
        return { deliver: verdict === true ? bytes.length : verdict };
      };
      this.rules.push(rule);
    });
  }

  /** What the server says reaches PostgreSQL; the answers never arrive. pass() cuts those who lost some. */
  swallowReplies({ only = everybody } = {}) {
    this.rules.push((connection, from) => (from === 'fromServer' && only(connection) ? { swallow: true } : null));
  }

  /**
   * Nothing moves in either direction, or in this one, nothing is lost; also for connections still to come. direction:
   * 'toServer' or 'fromServer'.
   */
  freeze({ only = everybody, direction } = {}) {
    this.frozen = only;
    this.direction = direction;
    for (const connection of this.those(only)) connection.freeze();
  }

  unfreeze() {
    this.frozen = this.direction = undefined;
    for (const connection of this.connections) connection.unfreeze();
  }

  /** Ends all faults. */
  pass() {
    this.rules = [];
    this.up();
    for (const connection of this.those((one) => one.lost)) connection.destroy();
    this.unfreeze();
  }

  /** Waits until so many connections that fit go through. */
  connected(n, { only, timeout } = {}) {
    return until(() => this.those(only).length >= n, `${n} connections through the proxy`, { timeout });
  }

  async close() {
    this.cut();
    await new Promise((resolve) => { this.listener.close(resolve); });
    rmSync(this.dir, { recursive: true, force: true });
  }
}

class Connection {
  constructor(proxy, client, server) {
    Object.assign(this, { proxy, client, server, lost: 0, frozen: false });
    this.startup = null;    // { user, database, replication, application_name, … }
    this.held = [];         // what arrived while frozen, in order
    client.on('data', (bytes) => { this.startup ??= parseStartup(bytes); this.forward('toServer', bytes); });
    server.on('data', (bytes) => this.forward('fromServer', bytes));
    client.on('end', () => this.forward('toServer', null));
    server.on('end', () => this.forward('fromServer', null));
    for (const end of [client, server]) {
      end.on('error', () => this.destroy());
      end.on('close', () => { if (!this.frozen) this.destroy(); });
    }
  }

  get replication() { return /^(database|true|on|yes|1)$/.test(this.startup?.replication ?? ''); }

  forward(from, bytes) {
    const held = this.frozen || this.proxy.frozen?.(this);
    if (held && from === (this.proxy.direction ?? from)) {
      this.freeze();
      this.held.push([from, bytes]);
      return;
    }
    const target = from === 'toServer' ? this.server : this.client;
    if (bytes === null) {
      target.end();
      return;
    }
    for (const rule of [...this.proxy.rules]) {
      const fault = rule(this, from, bytes);
      if (fault?.swallow) {
        this.lost += bytes.length;
        return;
      }
      if (fault) {
        target.write(bytes.subarray(0, fault.deliver), () => this.destroy());
        return;
      }
    }
    const source = from === 'toServer' ? this.client : this.server;
    if (!target.write(bytes)) {
      source.pause();
      target.once('drain', () => source.resume());
    }
  }

  freeze() { this.frozen = true; }

  unfreeze() {
    this.frozen = false;
    for (const [from, bytes] of this.held.splice(0)) this.forward(from, bytes);
    if (this.client.destroyed || this.server.destroyed) this.destroy();
  }

  destroy() {
    this.proxy.connections.delete(this);
    this.client.destroy();
    this.server.destroy();
  }
}

function parseStartup(bytes) {
  const words = bytes.toString('utf8', 8, bytes.readUInt32BE(0)).split('\0');
  const pairs = {};
  for (let at = 0; words[at]; at += 2) pairs[words[at]] = words[at + 1];
  return pairs;
}
