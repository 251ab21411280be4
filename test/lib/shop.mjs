// A shop's own page, served from another origin than the server's: it listens to payments with socket.io-client as npm
// has it, the way the clients of the userstate system do.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { root } from './paths.mjs';

const client = readFileSync(path.join(root, 'test/node_modules/socket.io-client/dist/socket.io.min.js'));

const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A shop</title><link rel="icon" href="data:,">
<p>subscribed: <span id="subscribed">not yet</span></p>
<p>connections: <span id="connections">0</span></p>
<ol id="updates"></ol>
<script src="/socket.io.min.js"></script>
<script>
  const { server, token, username } = Object.fromEntries(new URLSearchParams(location.search));
  const place = (id) => document.getElementById(id);
  const socket = io(server, { auth: { token }, reconnectionDelayMax: 500 });
  socket.on('connect', () => {
    place('subscribed').textContent = 'not yet';
    place('connections').textContent = Number(place('connections').textContent) + 1;
    socket.emit('subscribe:payment', { username }, ({ status }) => { place('subscribed').textContent = status; });
  });
  socket.on('payment:status:update', (update) => {
    place('updates').appendChild(document.createElement('li')).textContent = JSON.stringify(update);
  });
</script>`;

/** page({ server, token, username }): the address to look at. */
export async function serveShop() {
  const shop = http.createServer((request, reply) => {
    const script = request.url === '/socket.io.min.js';
    reply.writeHead(200, { 'content-type': script ? 'text/javascript' : 'text/html; charset=utf-8' });
    reply.end(script ? client : page);
  });
  await new Promise((resolve) => { shop.listen(0, '127.0.0.1', resolve); });
  const base = `http://127.0.0.1:${shop.address().port}`;
  return {
    page: (who) => `${base}/?${new URLSearchParams(who)}`,
    close: () => new Promise((resolve) => { shop.closeAllConnections(); shop.close(resolve); }),
  };
}
