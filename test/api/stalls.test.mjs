// Nothing that takes long holds up the rest: while fifty log-ins wait for their password hashes and calls to a provider
// hang, /health and sockets are answered. Shown by what comes before what, not by a clock: were the hashes made on the
// loop, there would be at most one other answer between two of them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { agentFor, api, socket } from '../lib/client.mjs';
import { register } from '../lib/people.mjs';
import { startServer } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { startXendit } from '../lib/xendit.mjs';

const LOG_INS = 50;
const CHECKOUTS = 3;
const ANSWERS = 4 * LOG_INS;

let xendit;
let server;
before(async () => {
  xendit = await startXendit();
  server = await startServer({ env: xendit.env });
});
after(async () => {
  await server.stop();
  await xendit.close();
});

test('/health and a socket are answered while log-ins wait and a provider hangs', { timeout: 120_000 }, async () => {
  const ada = await register(server);
  const ws = await socket(server, { token: ada.token });
  await ws.next('hello');
  const agent = agentFor(server.url, { maxSockets: 1 });     // no queue of the client's own

  xendit.mood = 'hang';
  const order = { amount: 500, description: 'Top-up' };
  const checkouts = Array.from({ length: CHECKOUTS }, () =>
    ada.api.post('/payment-checkout', { body: order, timeout: 60_000 }));
  await until(() => xendit.provider.waiting === CHECKOUTS, 'the calls to hang');

  let open = LOG_INS;
  const body = { email: ada.email, password: ada.password };
  const logIns = Array.from({ length: LOG_INS }, async () => {
    const reply = await api(server).post('/api/auth/login', { body, timeout: 60_000 });
    open -= 1;
    return reply;
  });
  for (let n = 0; n < ANSWERS; n++) {
    assert.equal((await api(server).get('/health', { agent })).status, 200);
    ws.send({ type: 'ping' });
    await ws.next('pong');
    assert.ok(open > 0, `the log-ins were over after ${n} answers`);
  }
  assert.equal(xendit.provider.waiting, CHECKOUTS, 'the provider still hangs');

  for (const reply of await Promise.all(logIns)) assert.equal(reply.status, 200, reply.text);
  for (const reply of await Promise.all(checkouts)) assert.equal(reply.status, 502, reply.text);
  agent.destroy();
  await ws.close();
});
