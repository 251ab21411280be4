// A mail server on 127.0.0.1 that keeps what it was told: { port, mails, clear, secret, close }. `clear` is what came
// unencrypted, `secret` what came through TLS; mails: { to, text }, oldest first.
import net from 'node:net';
import tls from 'node:tls';
import { readFileSync } from 'node:fs';

/**
 * tls: 'first' (TLS from the start), 'starttls', or 'none'. certificate: { cert, key }, paths.
 * login: what it says to a log-in. deaf: it answers no QUIT and does not hang up.
 */
export async function startSmtp({ tls: mode, certificate, login = '235 welcome', deaf = false }) {
  const smtp = { mails: [], clear: '', secret: '' };
  const identity = certificate
    && { cert: readFileSync(certificate.cert), key: readFileSync(certificate.key), minVersion: 'TLSv1.2' };
  const open = new Set();
  const secured = (socket) => {
    const over = new tls.TLSSocket(socket, { isServer: true, ...identity });
    over.on('error', () => {});
    return over;
  };
  const server = net.createServer({ allowHalfOpen: deaf }, (socket) => {
    open.add(socket.unref());
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    if (mode === 'first') converse(secured(socket), { smtp, login, deaf, secret: true, greeting: true });
    else converse(socket, { smtp, login, deaf, greeting: true, secured: mode === 'starttls' && secured });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  server.unref();     // a test that fails leaves it
  smtp.port = server.address().port;
  smtp.close = () => new Promise((resolve) => {
    for (const socket of open) socket.destroy();
    server.close(resolve);
  });
  return smtp;
}

function converse(socket, { smtp, login, deaf, secret = false, greeting = false, secured = null }) {
  const say = (...lines) => socket.write(lines.map((line) => `${line}\r\n`).join(''));
  let rest = '';
  let mail = null;      // the lines of one, while it is being told
  let to;
  let proof = false;    // the next line is the password
  const command = (line) => {
    const word = line.slice(0, 4).toUpperCase();
    if (proof) { proof = false; say(login); }
    else if (word === 'EHLO') say('250-test', ...(secured ? ['250-STARTTLS'] : []), '250 AUTH PLAIN');
    else if (word === 'AUTH') { proof = true; say('334 '); }
    else if (word === 'RCPT') say(`250 ${to = line.slice(8)}`);
    else if (word === 'DATA') { mail = []; say('354 go'); }
    else if (word === 'QUIT') { if (!deaf) { say('221 bye'); socket.end(); } }
    else if (word === 'STAR' && secured) {
      say('220 go');
      socket.off('data', hear);
      converse(secured(socket), { smtp, login, deaf, secret: true });
    } else say('250 ok');
  };
  const hear = (bytes) => {
    smtp[secret ? 'secret' : 'clear'] += bytes.toString('latin1');
    const lines = (rest + bytes.toString('latin1')).split('\r\n');
    rest = lines.pop();
    for (const line of lines) {
      if (!mail) command(line);
      else if (line === '.') {
        smtp.mails.push({ to: to.slice(1, -1), text: mail.join('\n') });
        mail = null;
        say('250 taken');
      } else mail.push(line.startsWith('.') ? line.slice(1) : line);
    }
  };
  socket.on('data', hear).on('error', () => {});
  if (greeting) say('220 test');
}
