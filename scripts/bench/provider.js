// A payment provider: every invoice is open, which it says after 20 ms; below /hang/ it never says anything.
import { createServer } from 'node:http';

const LATENCY_MS = 20;

createServer((request, reply) => {
  request.resume();
  if (request.url.startsWith('/hang/')) return;
  const id = request.url.split('/').pop();
  const invoice = { id, external_id: id.replace('inv_', '').replace('_', '-'), status: 'PENDING', amount: 10 };
  setTimeout(() => {
    reply.setHeader('Content-Type', 'application/json');
    reply.end(JSON.stringify(invoice));
  }, request.url === '/' ? 0 : LATENCY_MS);
}).listen(process.env.PORT, '127.0.0.1');
