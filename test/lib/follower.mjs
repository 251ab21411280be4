// A client that follows one person's accounts over /ws for as long as a test lasts: it connects again whenever
// it is cut off, to whichever server is there, with the cursor of the last frame it got, and remembers
// every event. In the end each event of the account must have come exactly once, in order, and true.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { socket } from './client.mjs';
import { until, within } from './wait.mjs';

const REST = 30;                                      // ms between two attempts to connect
const GOODBYES = new Set([1000, 1001, 1006, 1013, 4408]);   // after these a client comes back

export class Follower {
  /** server: a function that says where to connect to now. version: of the account before anybody follows. */
  constructor(person, server, version) {
    Object.assign(this, { person, server, version });
    this.events = [];        // { seq, delta, balance, transactionId } in the order in which they came
    this.faults = [];        // what must not happen
    this.cursor = null;
    this.connections = 0;
    this.codes = {};         // how often the connection ended with which code
    this.stopped = false;
    this.wake = () => {};
  }

  get last() { return this.events.at(-1)?.seq ?? this.version; }
  get connected() { return this.client !== undefined && !this.client.end; }

  async start() {
    this.running = this.run();
    await until(() => this.greeted, `the first hello to ${this.person.email}`);
    return this;
  }

  async run() {
    while (!this.stopped) {
      try {
        this.client = await socket(this.server(), { token: this.person.token, cursor: this.cursor, timeout: 5000 });
      } catch (error) {
        if (error.status && error.status !== 503) this.faults.push(`upgrade refused: ${error.status} ${error.text}`);
        await pause(REST);
        continue;
      }
      this.connections += 1;
      await this.listen(this.client);
    }
  }

  async listen(client) {
    const connection = { asked: this.cursor !== null, missed: 0, greeted: false };
    let at = 0;
    const take = () => { while (at < client.frames.length) this.take(client.frames[at++], connection); };
    client.ws.on('message', take);
    take();
    while (!client.end && !this.stopped) {
      await new Promise((resolve) => {
        this.wake = resolve;
        client.ws.once('close', resolve);
        if (client.end) resolve();
      });
    }
    if (!client.end) return;
    const { code, reason } = client.end;
    this.codes[code] = (this.codes[code] ?? 0) + 1;
    if (!GOODBYES.has(code)) this.faults.push(`closed with ${code} ${reason}`);
  }

  take(frame, connection) {
    if (frame.cursor) this.cursor = frame.cursor;
    if (frame.type === 'balance-updated') {
      if (!connection.greeted) connection.missed += 1;
      const { delta, balance, transactionId } = frame.data;
      this.events.push({ seq: frame.seq, delta, balance, transactionId });
    } else if (frame.type === 'hello') {
      connection.greeted = this.greeted = true;
      const resumed = connection.asked ? connection.missed : null;
      if (frame.resumed !== resumed) {
        this.faults.push(`hello says resumed: ${frame.resumed} after ${connection.missed}`);
      }
    } else {
      this.faults.push(`an unexpected frame: ${JSON.stringify(frame)}`);
    }
  }

  /** Gone without a word; it will be back by itself. */
  cut() { this.client?.terminate(); }

  async stop() {
    this.stopped = true;
    this.wake();
    this.client?.terminate();
    await within(this.running, 10_000, 'a follower to stop');
  }

  /** rows: version → { delta, after, id } of everything that is in the tables for the account. */
  async check(rows) {
    const newest = Math.max(this.version, ...rows.keys());
    const who = `the follower of ${this.person.email} (${this.connections} connections)`;
    await until(() => this.last >= newest, `event ${newest} at ${who}`, { timeout: 20_000 }).catch((error) => {
      error.message += `; it has ${this.last}`;
      throw error;
    });
    await pause(50);      // a double of the last one would come now
    assert.deepEqual(this.faults, [], who);
    const seqs = this.events.map(({ seq }) => seq);
    seqs.forEach((seq, at) => {
      const before = at ? seqs[at - 1] : Math.min(seq - 1, this.version);
      assert.equal(seq, before + 1, `${who} got ${seq} after ${before}: ${seqs.slice(Math.max(0, at - 5), at + 5)}`);
    });
    for (const { seq, delta, balance, transactionId } of this.events) {
      const row = rows.get(seq);
      assert.deepEqual({ delta, balance }, { delta: row.delta, balance: row.after }, `${who}, event ${seq}`);
      if (row.id) assert.equal(transactionId, row.id, `${who}, event ${seq}`);
    }
  }
}
