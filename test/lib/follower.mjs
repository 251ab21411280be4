// A client of the live push, as a careful one would be written: it remembers what it has seen, checks that every stream
// comes without gap or double, and resumes from the last cursor it was given. A test tells it when to connect and to
// leave; or it follows: then it connects again by itself whenever it is cut off, to whichever server is there.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { socket } from './client.mjs';
import { until, within } from './wait.mjs';

const REST = 30;                                            // ms between two attempts to connect
const FOREVER = 2 ** 31 - 1;
const GOODBYES = new Set([1000, 1001, 1006, 1013, 4408]);   // after these a client comes back

export const isEvent = (frame) => frame.stream !== undefined && frame.seq !== undefined;

/**
 * One user's client over all of its connections. `seen` has every event, in order; an event that is
 * not its stream's next is a failed test. After a resync the numbers go on from what came first.
 */
export class Follower {
  constructor(person) {
    this.person = person;
    this.last = new Map();      // stream → seq
    this.seen = [];
    this.cursor = undefined;
    this.resyncs = [];
    this.fault = null;
    this.ws = null;
    this.connections = 0;
    this.codes = {};            // while following: how often the connection ended with which code
    this.stopped = true;        // it does not follow
  }

  get connected() { return this.ws !== null && !this.ws.end; }

  take(frame) {
    if (frame.type === 'resync') {
      this.resyncs.push(frame);
      if (frame.stream) this.last.delete(frame.stream);
      else this.last.clear();
    }
    if (frame.cursor) this.cursor = frame.cursor;
    if (frame.type === 'hello') this.greet(frame);
    else if (!this.stopped && !isEvent(frame)) this.blame(`an unexpected frame: ${JSON.stringify(frame)}`);
    if (!isEvent(frame)) return;
    const expected = (this.last.get(frame.stream) ?? frame.seq - 1) + 1;
    if (frame.seq !== expected) this.blame(`stream ${frame.stream} came with ${frame.seq}, not ${expected}`);
    this.last.set(frame.stream, frame.seq);
    this.seen.push(frame);
  }

  /** Who follows has a good cursor or none, so a greeting tells of exactly what came before it. */
  greet(hello) {
    const missed = this.seen.length - this.had;
    if (!this.stopped && hello.resumed !== (this.asked ? missed : null)) {
      this.blame(`hello says resumed: ${hello.resumed} after ${missed}`);
    }
    this.hello = hello;
  }

  blame(what) { this.fault ??= new Error(`${this.person.name}: ${what}`); }

  /** Connects with the cursor it has. Ends the connection it had. */
  async open(server, options) {
    await this.leave();
    const { cursor } = this;
    const ws = await socket(server, { token: this.person.token, cursor, ...options });
    Object.assign(this, { ws, asked: cursor !== undefined, had: this.seen.length });
    this.connections += 1;
    let at = 0;
    const take = () => { while (this.ws === ws && at < ws.frames.length) this.take(ws.frames[at++]); };
    ws.ws.on('message', take);
    take();     // what came before we could listen has been kept
    return ws;
  }

  /** The same; resolves once greeted. */
  async connect(server, options) {
    const ws = await this.open(server, options);
    return ws.next('hello', options);
  }

  /** Gone without a word, as a client on a train. What arrives afterwards is not taken. */
  async leave() {
    const ws = this.ws;
    this.ws = null;
    if (!ws) return;
    ws.terminate();
    await ws.closed();
  }

  /** From now on by itself; resolves once greeted. where: a function that says where to connect to now. */
  async follow(where) {
    this.stopped = false;
    this.following = this.keepUp(where);
    await until(() => this.hello, `the first hello to ${this.person.email}`);
    return this;
  }

  async keepUp(where) {
    while (!this.stopped) {
      let ws;
      try {
        ws = await this.open(where(), { timeout: 5000 });
      } catch (error) {
        if (error.status && error.status !== 503) this.blame(`upgrade refused: ${error.status} ${error.text}`);
        await pause(REST);
        continue;
      }
      if (this.stopped) return;
      const { code, reason } = await ws.closed({ timeout: FOREVER });
      if (this.stopped) return;
      this.codes[code] = (this.codes[code] ?? 0) + 1;
      if (!GOODBYES.has(code)) this.blame(`closed with ${code} ${reason}`);
    }
  }

  /** Gone without a word; it will be back by itself. */
  cut() { this.ws?.terminate(); }

  async stop() {
    this.stopped = true;
    this.ws?.terminate();
    await within(this.following, 10_000, 'a follower to stop');
    await this.leave();
  }

  /** Waits until so many events of a stream (the newest number of it) have come. */
  reached(stream, seq, options) {
    return until(() => this.check() && this.last.get(stream) >= seq, `${this.person.name}'s stream to reach ${seq}`,
      { final: (error) => error === this.fault, timeout: 20_000, ...options });
  }

  of(stream) { return this.seen.filter((frame) => frame.stream === stream); }

  check() {
    if (this.fault) throw this.fault;
    return true;
  }

  /**
   * Each event of the one account that this person has came exactly once, in order, and true. version: of the account
   * before it followed. rows: version → { delta, after, id } of everything that is in the tables for the account.
   */
  async proves(version, rows) {
    const newest = Math.max(version, ...rows.keys());
    const who = `the follower of ${this.person.email} (${this.connections} connections)`;
    const last = () => this.seen.at(-1)?.seq ?? version;
    await until(() => last() >= newest, `event ${newest} at ${who}`, { timeout: 20_000 }).catch((error) => {
      error.message += `; it has ${last()}`;
      throw error;
    });
    await pause(50);      // a double of the last one would come now
    this.check();
    assert.deepEqual([...new Set(this.seen.map(({ type }) => type))].filter((type) => type !== 'balance-updated'), []);
    const seqs = this.seen.map(({ seq }) => seq);
    seqs.forEach((seq, at) => {
      const before = at ? seqs[at - 1] : Math.min(seq - 1, version);
      assert.equal(seq, before + 1, `${who} got ${seq} after ${before}: ${seqs.slice(Math.max(0, at - 5), at + 5)}`);
    });
    for (const { seq, data: { delta, balance, transactionId } } of this.seen) {
      const row = rows.get(seq);
      assert.deepEqual({ delta, balance }, { delta: row.delta, balance: row.after }, `${who}, event ${seq}`);
      if (row.id) assert.equal(transactionId, row.id, `${who}, event ${seq}`);
    }
  }
}
