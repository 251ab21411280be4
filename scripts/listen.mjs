#!/usr/bin/env node
// Listens on tally's own WebSocket and prints every frame, one line each; comes back by itself with the cursor of the
// last frame, so that nothing is missed.
//
//     node scripts/listen.mjs ws://127.0.0.1:3000/ws TOKEN [TOPIC …]
import { createRequire } from 'node:module';

const require = createRequire(new URL('../test/package.json', import.meta.url));
let WebSocket;
try {
  ({ WebSocket } = require('ws'));
} catch {
  console.error('listen: the WebSocket client is missing; `make setup` installs it');
  process.exit(1);
}

const [url, token, ...topics] = process.argv.slice(2);
if (!url || !token) {
  console.error('usage: node scripts/listen.mjs ws://HOST:PORT/ws TOKEN [TOPIC …]');
  process.exit(2);
}

let cursor = null;

function connect() {
  const address = cursor ? `${url}?cursor=${encodeURIComponent(cursor)}` : url;
  const socket = new WebSocket(address, { headers: { Authorization: `Bearer ${token}` } });
  socket.on('open', () => {
    if (topics.length) socket.send(JSON.stringify({ type: 'subscribe', topics }));
  });
  socket.on('message', (data) => {
    const frame = JSON.parse(data);
    cursor = frame.cursor ?? cursor;
    console.log(JSON.stringify(frame));
  });
  socket.on('close', (code, reason) => {
    console.error(`closed: ${code} ${reason}`);
    if (code !== 4401) setTimeout(connect, 500);
  });
  socket.on('error', (error) => console.error(`error: ${error.message}`));
}

connect();
