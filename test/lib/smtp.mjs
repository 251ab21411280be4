// A mail server on 127.0.0.1 that keeps what it was told: { port, mails, clear, secret, waiting, mood, close }. `clear`
// is what came unencrypted, `secret` what came through TLS; mails: { from, to, text }, oldest first; waiting: sessions.
import net from 'node:net';
import tls from 'node:tls';
import { readFileSync } from 'node:fs';

/**
 * tls: 'first' (TLS from the start), 'starttls', or 'none'. certificate: { cert, key }, paths.
 * login: what it says to a log-in. deaf: it answers no QUIT and does not hang up.
 * A test may set `mood`: 'hang' (it says nothing), 'cut', 'garbage' or 'slow' (a byte now and then); or what it says at
 * a step instead, such as { rcpt: '550 no such user' }; the steps are greeting, ehlo, mail, rcpt, data and end.
 */
export async function startSmtp({ tls: mode = 'none', certificate, login = '235 welcome', deaf = false } = {}) {
  const smtp = { mails: [], clear: '', secret: '', waiting: 0, mood: null };
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
    smtp.waiting++;
    socket.on('error', () => {}).on('close', () => { open.delete(socket); smtp.waiting--; });
    if (typeof smtp.mood === 'string') misbehave(socket, smtp.mood);
    else if (mode === 'first') converse(secured(socket), { smtp, login, deaf, secret: true, greeting: true });
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

function misbehave(socket, mood) {
  if (mood === 'cut') socket.destroy();
  if (mood === 'garbage') socket.end('<html>\r\n\r\n\0\xff\r\n');
  if (mood !== 'slow') return;
  socket.write('220-');   // the first line, which never ends
  const timer = setInterval(() => socket.write('.'), 100);
  socket.on('close', () => clearInterval(timer));
}

function converse(socket, { smtp, login, deaf, secret = false, greeting = false, secured = null }) {
  const say = (...lines) => socket.write(lines.map((line) => `${line}\r\n`).join(''));
  const answer = (step, ...lines) => say(...(smtp.mood?.[step] ? [smtp.mood[step]] : lines));
  let rest = '';
  let mail = null;      // the lines of one, while it is being told
  let from;
  let to;
  let proof = false;    // the next line is the password
  const command = (line) => {
    const word = line.slice(0, 4).toUpperCase();
    if (proof) { proof = false; say(login); }
    else if (word === 'EHLO') answer('ehlo', '250-test', ...(secured ? ['250-STARTTLS'] : []), '250 AUTH PLAIN');
    else if (word === 'HELO') answer('ehlo', '250 test');
    else if (word === 'AUTH') { proof = true; say('334 '); }
    else if (word === 'MAIL') { from = /<(.*)>/.exec(line)[1]; answer('mail', '250 ok'); }
    else if (word === 'RCPT') answer('rcpt', `250 ${to = line.slice(8)}`);
    else if (word === 'DATA') { mail = smtp.mood?.data ? null : []; answer('data', '354 go'); }
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
        if (!smtp.mood?.end) smtp.mails.push({ from, to: to.slice(1, -1), text: mail.join('\n') });
        mail = null;
        answer('end', '250 taken');
      } else mail.push(line.startsWith('.') ? line.slice(1) : line);
    }
  };
  socket.on('data', hear).on('error', () => {});
  if (greeting) answer('greeting', '220 test');
}
