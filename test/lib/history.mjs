// The oracle of the chaos tests: what the clients have asked for and what they were told, against what
// is there in the end. Clients move money between a few people, with a key for each transfer, while the
// test breaks things. A request that got no answer, or a 503, is unknown until its key, asked
// for again, is answered. Then, by check():
//   - each acknowledged transfer is in the tables exactly once, and nothing that nobody asked for;
//   - balances over the API = in the tables = by the history; `tallyd audit` holds;
//   - each follower's socket saw every event of its account once, in order, and true;
//   - nobody waited in vain, and no answer was any other than 200 or 503 with Retry-After.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { agentFor, api } from './client.mjs';
import { Follower } from './follower.mjs';
import { audit, balanceOf, customer, systemUser } from './people.mjs';
import { query } from './pg.mjs';
import { until } from './wait.mjs';

const FUNDS = 1_000_000;
const ANSWER_MAX = 12_000;        // ms: longer than every deadline of the server
const SETTLE_MAX = 40_000;
const REST_AFTER_FAULT = 20;

/**
 * A number of funded people and, for the first `followers` of them, a socket each. database: a URL for the checks
 * (default: the server's; another one when a proxy stands between).
 */
export async function startHistory(server, { people = 5, followers = people, database = server.database } = {}) {
  const history = new History(server, database);
  const system = await systemUser(server);
  for (let n = 0; n < people; n++) {
    const person = await customer(server, system, { amount: FUNDS });
    const [{ id, version }] = await query(database, `SELECT a.id, a.version FROM account a
      JOIN users u ON u.id = a.owner_user_id WHERE a.kind = 'bank' AND u.email = '${person.email}'`);
    history.people.push({ ...person, number: id, version });
  }
  const followed = history.people.slice(0, followers);
  history.followers = followed.map((person) => new Follower(person));
  await Promise.all(history.followers.map((follower) => follower.follow(() => history.server)));
  return history;
}

function bodyOf({ key, from, to, amount }) {
  return { fromAccount: from.account._id, toAccount: to.account._id, amount, idempotencyKey: key };
}

/** An operation as the bytes of a request, for raw connections. */
export function requestOf(operation) {
  const body = JSON.stringify(bodyOf(operation));
  return `POST /api/transactions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${operation.from.token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

class History {
  constructor(server, database) {
    Object.assign(this, { server, database });
    this.servers = [server];     // where clients go: each request to any of them
    this.people = [];
    this.followers = [];
    this.operations = new Map();  // key → what was asked and what was said to it
    this.wrong = [];             // answers that must not be
    this.counts = { done: 0, replayed: 0, refused: 0, broken: 0 };
    this.slowest = 0;
    this.clients = [];
    this.agent = agentFor(server.url);
  }

  /** A transfer that somebody wants now. */
  wish() {
    const from = Math.floor(Math.random() * this.people.length);
    const to = (from + 1 + Math.floor(Math.random() * (this.people.length - 1))) % this.people.length;
    const amount = 1 + Math.floor(Math.random() * 5);
    const operation = { key: randomUUID(), from: this.people[from], to: this.people[to], amount };
    this.operations.set(operation.key, operation);
    return operation;
  }

  /** Sends it, once. operation.answer: the transaction, or undefined: unknown; operation.last: the last reply. */
  async ask(operation, { server = this.server, agent = this.agent } = {}) {
    const { key, from: { token } } = operation;
    const started = Date.now();
    try {
      const body = bodyOf(operation);
      const reply = await api(server).post('/api/transactions', { token, body, agent, timeout: ANSWER_MAX });
      this.slowest = Math.max(this.slowest, Date.now() - started);
      this.note(operation, reply);
    } catch (error) {
      if (Date.now() - started >= ANSWER_MAX) this.wrong.push(`${key}: ${error.message}`);
      this.counts.broken += 1;
    }
    return operation;
  }

  note(operation, reply) {
    const { key } = operation;
    operation.last = reply;
    if (reply.status === 503 && Number(reply.headers['retry-after']) > 0) {
      this.counts.refused += 1;
    } else if (reply.status === 200) {
      const { fromAccount, toAccount, amount, idempotencyKey, status, _id } = reply.json.transaction;
      assert.deepEqual({ fromAccount, toAccount, amount, idempotencyKey }, bodyOf(operation));
      assert.equal(status, 'completed');
      if (operation.answer) assert.deepEqual(reply.json.transaction, operation.answer);
      operation.answer = reply.json.transaction;
      operation.id = _id;
      this.counts[reply.headers['idempotent-replayed'] ? 'replayed' : 'done'] += 1;
    } else {
      this.wrong.push(`${key}: ${reply.status} ${JSON.stringify(reply.headers)} ${reply.text}`);
    }
  }

  /** Clients that never stop asking, each on a connection of its own. About every other fault is repeated at once. */
  load(clients = 12, { rest = 2 } = {}) {
    this.loading = true;
    this.clients.push(...Array.from({ length: clients }, () => this.client(rest)));
  }

  async client(rest) {
    const agent = agentFor(this.server.url, { maxSockets: 1 });
    let again;
    while (this.loading) {
      const server = this.servers[Math.floor(Math.random() * this.servers.length)];
      const operation = await this.ask(again ?? this.wish(), { server, agent });
      again = !operation.answer && Math.random() < 0.5 ? operation : undefined;
      await pause(operation.answer ? Math.random() * 2 * rest : REST_AFTER_FAULT);
    }
    agent.destroy();
  }

  /** Waits until so many more transfers have been acknowledged. */
  async progress(n, { timeout = 20_000 } = {}) {
    const from = this.counts.done + this.counts.replayed;
    await until(() => this.counts.done + this.counts.replayed >= from + n, `${n} more transfers`, { timeout });
  }

  async calm() {
    this.loading = false;
    await Promise.all(this.clients.splice(0));
  }

  get unknown() { return [...this.operations.values()].filter((operation) => !operation.answer); }

  /** Asks for every unknown again, until it is answered. */
  async settle() {
    const open = this.unknown;
    const end = Date.now() + SETTLE_MAX;
    const settler = async () => {
      for (let operation = open.pop(); operation; operation = open.pop()) {
        while (!(await this.ask(operation)).answer) {
          assert.ok(Date.now() < end, `${operation.key} is still unknown: ${JSON.stringify(this.wrong.slice(0, 5))}`);
          await pause(REST_AFTER_FAULT);
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, settler));
  }

  /** The end of every chaos test; the server must be there. Returns what happened, for messages. */
  async check() {
    await this.calm();
    await this.settle();
    assert.deepEqual(this.wrong, []);
    const rows = await this.checkTransfers();
    await this.checkBalances();
    for (const follower of this.followers) {
      const { person } = follower;
      await follower.proves(person.version, this.eventsOf(person, rows));
    }
    await audit({ command: (...args) => this.server.command(...args) });
    return { ...this.counts, slowest: this.slowest };
  }

  /** I4 and I5: what was acknowledged, once; nothing that was not asked for. */
  async checkTransfers() {
    const rows = await query(this.database, `SELECT id, kind, debit, credit, amount, idem_key, debit_after,
      debit_version, credit_after, credit_version FROM transfer ORDER BY id`);
    const transfers = rows.filter(({ kind }) => kind === 'bank.transfer');
    const seen = new Set();
    for (const row of transfers) {
      const asked = this.operations.get(row.idem_key);
      assert.ok(asked, `transfer ${row.id} was asked for by nobody`);
      assert.ok(!seen.has(row.idem_key), `transfer ${row.id} is a double`);
      seen.add(row.idem_key);
      assert.deepEqual([row.debit, row.credit, row.amount], [asked.from.number, asked.to.number, asked.amount * 100]);
    }
    for (const key of this.operations.keys()) assert.ok(seen.has(key), `${key} was acknowledged and is lost`);
    return rows;
  }

  async checkBalances() {
    const expected = new Map(this.people.map(({ number }) => [number, FUNDS]));
    for (const { from, to, amount } of this.operations.values()) {
      expected.set(from.number, expected.get(from.number) - amount);
      expected.set(to.number, expected.get(to.number) + amount);
    }
    const stored = await query(this.database, 'SELECT id, balance FROM account WHERE kind = \'bank\'');
    const inTables = new Map(stored.map(({ id, balance }) => [id, balance / 100]));
    for (const person of this.people) {
      const balance = expected.get(person.number);
      assert.equal(inTables.get(person.number), balance, `the balance of ${person.email} in the tables`);
      const agrees = async () => (await balanceOf(person, person.account)) === balance;
      await until(agrees, `a balance of ${balance} for ${person.email}`);
    }
  }

  /** version → what the event of that version must say. */
  eventsOf(person, rows) {
    const events = new Map();
    for (const row of rows) {
      const id = this.operations.get(row.idem_key)?.id;
      const enter = (version, delta, after) => events.set(version, { delta: delta / 100, after: after / 100, id });
      if (row.debit === person.number) enter(row.debit_version, -row.amount, row.debit_after);
      if (row.credit === person.number) enter(row.credit_version, row.amount, row.credit_after);
    }
    return events;
  }

  /** Everything that would keep the test's process alive. Also after a failure. */
  async end() {
    this.loading = false;
    this.agent.destroy();
    await Promise.all([...this.clients.splice(0), ...this.followers.map((follower) => follower.stop())]);
  }
}
