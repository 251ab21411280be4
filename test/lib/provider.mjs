// A provider on 127.0.0.1: answers by script, remembers what it was asked, and can be as bad as real
// ones are. `answer(request)` returns { status, json } (or { status, text }), or one of the words in MOODS.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { api } from './client.mjs';

export const MOODS = ['hang', 'cut', 'garbage', 'slow', 'broken'];

/**
 * { url, calls, waiting, answer, close }; calls: { method, path, headers, bytes, body, json }, oldest first.
 * certificate: { cert, key }, paths; with it the provider speaks https.
 */
export async function startProvider(answer, { certificate } = {}) {
  const calls = [];
  const open = new Set();
  const provider = { calls, answer, waiting: 0, most: 0 };
  const hear = async (request, reply) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const bytes = Buffer.concat(parts);
    const body = bytes.toString();
    const { method, url, headers } = request;
    const call = { method, path: url, headers, bytes, body, json: parse(body) };
    calls.push(call);
    provider.waiting++;
    provider.most = Math.max(provider.most, provider.waiting);
    reply.on('close', () => { provider.waiting--; });
    give(reply, await provider.answer(call));
  };
  const server = certificate
    ? https.createServer({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) }, hear)
    : http.createServer(hear);
  server.on('connection', (socket) => { open.add(socket); socket.on('close', () => open.delete(socket)); });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  provider.url = `${certificate ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  provider.close = () => new Promise((resolve) => {
    for (const socket of open) socket.destroy();
    server.close(resolve);
  });
  return provider;
}

function parse(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function give(reply, said) {
  if (said === 'hang') return;
  if (said === 'cut') {
    reply.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
    reply.write('{"id":"');
    setImmediate(() => reply.destroy());
  } else if (said === 'garbage') {
    reply.writeHead(200, { 'content-type': 'application/json' });
    reply.end('{"id": <html>');
  } else if (said === 'broken') {
    reply.writeHead(500, { 'content-type': 'text/html' });
    reply.end('<h1>Internal Server Error</h1>');
  } else if (said === 'slow') {
    // A byte now and then, for ever: no time-out between bytes ends it.
    reply.writeHead(200, { 'content-type': 'application/json' });
    const timer = setInterval(() => reply.write(' '), 100);
    reply.on('close', () => clearInterval(timer));
  } else {
    reply.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers });
    reply.end(said.text ?? JSON.stringify(said.json ?? {}));
  }
}

/** How often the loop stood still while /health was asked so many times: what blocks it blocks it for seconds. */
export async function stallsWhile(server, times) {
  let stalls = 0;
  for (let n = 0; n < times; n++) {
    const begun = Date.now();
    const { status } = await api(server).get('/health');
    if (status !== 200 || Date.now() - begun > 2000) stalls++;
  }
  return stalls;
}
