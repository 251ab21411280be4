#!/usr/bin/env node
// A stand-in for the binary, with which the harness tests how it watches a server.
import http from 'node:http';

if (process.argv[2] !== 'serve') {
  console.log(process.argv.slice(2).join(' '));
  process.exit(0);
}
const server = http.createServer((request, reply) => {
  if (request.url === '/die') process.exit(3);
  if (request.url === '/report') {
    console.error('==1==ERROR: AddressSanitizer: heap-use-after-free');
    process.exit(99);
  }
  reply.end('ok');
});
server.listen(Number(process.env.TALLY_PORT), '127.0.0.1', () => {
  console.error(JSON.stringify({ area: 'http', event: 'listening', port: server.address().port }));
});
process.on('SIGTERM', () => process.exit(process.env.EXIT_CODE ?? 0));
