// Worker processes die by SIGKILL while connections are handed over between them: the clients come back and have
// missed nothing, nobody waits for ever, and no descriptor is left in any process.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { raw } from '../lib/client.mjs';
import { settledCustomer } from '../lib/listen.mjs';
import { audit, fund, systemUser } from '../lib/people.mjs';
import { leaveAll, patron, WAYS } from '../lib/patron.mjs';
import { startServer } from '../lib/server.mjs';
import { until, within } from '../lib/wait.mjs';

const PATH = '/socket.io/?EIO=4&transport=polling';
const ROUNDS = 5;
const ANSWER_MAX = 6000;     // ms: longer than a hop may take
const patiently = { timeout: 30_000 };

let server;
let system;
before(async () => {
  server = await startServer({ workers: 3 });
  system = await systemUser(server);
});
after(async () => {
  leaveAll();
  await audit(server);
  await server.stop();
});

const children = () => readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8');
const workers = () => children().trim().split(' ').map(Number);
const descriptors = (pid) => readdirSync(`/proc/${pid}/fd`).length;
const lives = () => server.logs.filter(({ area, event }) => area === 'live' && event === 'live').length;

const ask = async (connection, query) => {
  await connection.send(`GET ${PATH}${query} HTTP/1.1\r\nHost: x\r\n\r\n`);
  return within(connection.reply({ timeout: ANSWER_MAX }), ANSWER_MAX, 'an answer');
};

/** Two connections to different processes, and the sid of a session on each. */
async function apart() {
  for (;;) {
    const pair = await Promise.all([raw(server), raw(server)]);
    const [one, other] = await Promise.all(pair.map(async (connection) => {
      const { sid } = JSON.parse((await ask(connection, '')).text.slice(1));
      return { connection, sid, worker: Number.parseInt(sid.slice(0, 2), 16) };
    }));
    if (one.worker !== other.worker) return [one, other];
    for (const connection of pair) connection.close();
  }
}

const pidOf = (worker) => server.logs.findLast(({ area, event, index }) => area === 'workers' && event === 'started'
  && Number(index) === worker).pid;

/** Asks for sessions from connections that may be anywhere, until stop(); resolves with the statuses that came. */
function crossers(n) {
  const statuses = new Map();
  let running = true;
  const one = async () => {
    while (running) {
      const pair = [];
      try {
        pair.push(await raw(server), await raw(server));
        const opened = await ask(pair[0], '');
        const { sid } = JSON.parse(opened.text.slice(1));
        await pair[0].send(`POST ${PATH}&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n40`);
        await pair[0].reply();
        const reply = await ask(pair[1], `&sid=${sid}`);
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
        if (reply.status === 400) assert.deepEqual(JSON.parse(reply.text), { code: 1, message: 'Session ID unknown' });
      } catch (error) {
        // The process that had the connection is gone, with it; anything else is a fault.
        if (!/ended before|ECONNREFUSED|ECONNRESET/.test(error.message)) throw error;
      } finally {
        for (const connection of pair) connection.close();
      }
    }
  };
  const all = Promise.all(Array.from({ length: n }, one));
  return async () => { running = false; await all; return statuses; };
}

test('workers die while connections go from one to another', { timeout: 180_000 }, async (t) => {
  await until(() => lives() === 3, 'all workers to know everything');
  const ada = await settledCustomer(server, system, { amount: 100 });
  const everywhere = Object.values(WAYS);
  const patrons = await Promise.all(Array.from({ length: 9 }, (_, i) => patron(server, ada, {
    transports: everywhere[i % 3],
  })));
  const before = { parent: descriptors(server.pid), worker: Math.max(...workers().map(descriptors)) };
  const stop = crossers(6);
  let given = 0;
  const fundAll = async (n) => {
    for (let i = 0; i < n; i++) {
      const amount = ++given;
      await until(() => fund(system, ada.account, amount, `amount-${amount}`), 'the amount to be given', patiently);
    }
  };
  for (let round = 0; round < ROUNDS; round++) {
    const [victim, known] = [workers()[round % 3], lives()];
    await fundAll(3);
    process.kill(victim, 'SIGKILL');
    await until(() => workers().length === 3 && !workers().includes(victim), 'the worker to be replaced', patiently);
    await until(() => lives() > known, 'the new worker to know everything', patiently);
  }
  await fundAll(1);
  const statuses = await stop();
  t.diagnostic(JSON.stringify([...statuses]));
  assert.deepEqual([...statuses.keys()].filter((status) => status !== 200 && status !== 400), []);
  assert.ok(statuses.get(200) > 50);
  for (const one of patrons) {
    await one.heard('balance-updated', given, patiently);
    const deltas = one.said('balance-updated').map(({ delta }) => delta);
    assert.deepEqual(deltas, Array.from({ length: given }, (_, i) => i + 1));
    assert.ok(one.connects.slice(1).every(({ recovered }) => recovered), JSON.stringify(one.connects));
  }
  for (const one of patrons) await one.leave();
  const few = () => descriptors(server.pid) <= before.parent
    && workers().every((pid) => descriptors(pid) <= before.worker);
  await until(few, 'the descriptors to be closed', patiently);
});

for (const [how, signal] of [['is dead', 'SIGKILL'], ['hangs', 'SIGSTOP']]) {
  test(`a process that ${how} is answered for: its session is unknown, and the connection goes on`, async () => {
    await until(() => lives() >= 3 && workers().length === 3, 'all workers');
    const [one, other] = await apart();
    const [known, victim] = [lives(), Number(pidOf(other.worker))];
    process.kill(victim, signal);
    const reply = await ask(one.connection, `&sid=${other.sid}`);
    assert.equal(reply.status, 400, reply.text);
    assert.deepEqual(JSON.parse(reply.text), { code: 1, message: 'Session ID unknown' });
    assert.equal((await ask(one.connection, '')).status, 200);
    if (signal === 'SIGSTOP') {
      process.kill(victim, 'SIGCONT');
      // What it finds in its inbox was answered long ago: it must not answer once more.
      assert.equal((await ask(one.connection, '')).status, 200);
      await one.connection.send(`POST ${PATH}&sid=${other.sid} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n40`);
      assert.equal((await one.connection.reply()).text, 'ok', 'its session lives, and is reached');
    } else {
      await until(() => lives() > known, 'the new worker to know everything', patiently);
    }
    for (const { connection } of [one, other]) connection.close();
  });
}
