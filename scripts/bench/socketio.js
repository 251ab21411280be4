// The peer of the Socket.IO rows: what one client sends goes to every client. Settings: PORT. Without its first
// request, which socket.io keeps for the handlers, a connection takes less memory: the project itself advises that.
// POST /gc collects the garbage (node --expose-gc), so that memory can be read without it.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer((request, response) => {
    const collects = request.method === 'POST' && request.url === '/gc';
    if (collects) globalThis.gc();
    response.end(collects ? 'collected' : 'ok');
});
const io = new Server(http, { transports: ['websocket'] });
const rewards = io.of('/rewards');
io.engine.on('connection', (connection) => { connection.request = null; });
rewards.on('connection', (socket) => {
    socket.on('pointsUpdated', (data) => rewards.emit('pointsUpdated', data));
});
http.listen(Number(process.env.PORT), '127.0.0.1');
