// The peer of the fan-out rows: what one client sends goes to every client. Settings: PORT.
import { WebSocketServer } from 'ws';

const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env.PORT) });
server.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, binary) => {
        for (const client of server.clients) client.send(data, { binary });
    });
});
