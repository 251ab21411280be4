// A page with which a person sees events arrive: by the Socket.IO client as it comes from npm, and by tally's own
// WebSocket, which needs no library.
import { io } from '/assets/socket.io.js';
import { show } from '/assets/websocket-log.js';

const at = (id) => document.getElementById(id);
const credential = () => at('credential').value.trim();

/** What both doors take as proof: { token } or { key }, or nothing. */
function proof() {
  const text = credential();
  return text === '' ? {} : text.includes(':') ? { key: text } : { token: text };
}

/** A door's form: its button opens and closes, its line says how things stand. */
function door(form, { open, close }) {
  const [button, state] = [form.querySelector('button'), form.querySelector('.state')];
  let wanted = false;
  const set = (text, kind = '', keep = wanted) => {
    wanted = keep;
    state.textContent = text;
    state.className = `state ${kind}`;
    button.textContent = wanted ? 'Disconnect' : 'Connect';
  };
  const leave = () => {
    set('not connected', '', false);
    close();
  };
  const enter = () => {
    set('connecting …', '', true);
    open(set);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (wanted) leave();
    else enter();
  });
  return { enter, again: () => { if (wanted) { leave(); enter(); } } };
}

// Socket.IO -----------------------------------------------------------------------------------------

const REWARDS = 'Socket.IO /rewards';
let rewards = null;

/** From here on this member's events only. */
function narrow(socket, member, set) {
  socket.emit('subscribe', { userId: member }, (answer) => {
    const fine = answer?.status !== false;
    set(fine ? `connected, hearing ${member}` : `connected, but ${member}: ${answer.message}`, fine ? 'open' : 'bad');
    show(REWARDS, 'subscribe', answer, { chatter: true });
  });
}

function openRewards(set) {
  const socket = io('/rewards', { auth: proof(), forceNew: true });
  const only = at('only').value.trim();
  rewards = socket;
  socket.on('connect', () => {
    show(REWARDS, 'connected', { id: socket.id, recovered: socket.recovered }, { chatter: true });
    if (socket.recovered) set('connected, nothing was missed', 'open');
    else if (only) narrow(socket, only, set);
    else set('connected', 'open');
  });
  socket.on('connect_error', (error) => {
    set(socket.active ? `${error.message}; trying again …` : `refused: ${error.message}`, 'bad', socket.active);
    show(REWARDS, 'connect_error', { message: error.message }, { chatter: true });
  });
  socket.on('disconnect', (reason) => {
    if (rewards !== socket) return;
    set(socket.active ? 'cut off; trying again …' : `closed: ${reason}`, 'bad', socket.active);
    show(REWARDS, 'disconnect', { reason }, { chatter: true });
  });
  // A stock client keeps an event's last argument as its offset; only the first one is the event's.
  socket.onAny((name, data) => show(REWARDS, name, data));
}

function closeRewards() {
  rewards.disconnect();
  rewards = null;
}

// /ws -----------------------------------------------------------------------------------------------

const NATIVE = '/ws';
const AGAIN_MS = 1500;
const FINAL = [4400, 4401, 4403];     // trying again would not help
let native = null;
let cursor = null;
let lastUser = null;

/** Who has listened before is sent what he missed: the cursor stands for all that he has seen. */
function greet(socket) {
  const who = proof();
  if (who.token || who.key) socket.send(JSON.stringify({ type: 'auth', ...who, ...(cursor && { cursor }) }));
  const topics = at('topics').value.split(/[\s,]+/).filter(Boolean);
  if (topics.length) socket.send(JSON.stringify({ type: 'subscribe', topics }));
}

function take(frame, set) {
  if (frame.type === 'hello' && frame.userId !== lastUser) {
    cursor = null;
    lastUser = frame.userId;
  }
  cursor = frame.cursor ?? cursor;
  if (frame.type === 'hello') set(frame.userId ? `connected as ${frame.userId}` : 'connected', 'open');
  show(NATIVE, frame.type, frame, { chatter: frame.data === undefined });
}

function openNative(set) {
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws`);
  native = socket;
  socket.onopen = () => greet(socket);
  socket.onmessage = ({ data }) => take(JSON.parse(data), set);
  socket.onclose = ({ code, reason }) => {
    if (native !== socket) return;
    native = null;
    show(NATIVE, 'closed', { code, reason }, { chatter: true });
    if (FINAL.includes(code)) {
      set(`closed: ${reason || code}`, 'bad', false);
      return;
    }
    set('cut off; trying again …', 'bad');
    const again = setTimeout(() => openNative(set), AGAIN_MS);
    native = { close: () => clearTimeout(again) };
  };
}

function closeNative() {
  const socket = native;
  native = null;
  socket?.close();
}

// Signing in, and causing events --------------------------------------------------------------------

function headers() {
  const { token, key } = proof();
  const all = { 'Content-Type': 'application/json' };
  if (token) all.Authorization = `Bearer ${token}`;
  if (key) all.Authorization = `Basic ${btoa(key)}`;
  return all;
}

async function post(path, body, said, extra = {}) {
  const reply = await fetch(path, { method: 'POST', headers: headers(), body: JSON.stringify(body), ...extra })
    .catch(() => null);
  const json = await reply?.json().catch(() => null);
  said.textContent = reply?.ok ? 'done' : json?.message ?? 'the server does not answer';
  said.className = reply?.ok ? 'said' : 'said bad';
  return reply?.ok ? json : null;
}

at('who').addEventListener('submit', (event) => {
  event.preventDefault();
  listenAgain();
});

at('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const body = { email: at('email').value, password: at('password').value };
  const plain = { headers: { 'Content-Type': 'application/json' }, credentials: 'omit' };
  const reply = await post('/api/auth/login', body, at('sign-in-said'), plain);
  if (!reply) return;
  at('credential').value = reply.token;
  listenAgain();
});

const causes = {
  add: (member, points) => [`/rewards/add-points/${member}`, { points, category: 'test', amount: points }],
  redeem: (member, points) => [`/rewards/redeem/${member}`, { pointsToRedeem: points, rewardType: 'voucher' }],
};

at('cause').addEventListener('submit', (event) => {
  event.preventDefault();
  const cause = causes[event.submitter?.value ?? 'add'];
  post(...cause(encodeURIComponent(at('member').value), Number(at('points').value)), at('cause-said'));
});

function showCurl() {
  const [path, body] = causes.add(at('member').value, Number(at('points').value));
  at('curl').textContent = `curl ${location.origin}${path} -H 'Content-Type: application/json' ` +
    `-d '${JSON.stringify(body)}'`;
}

at('cause').addEventListener('input', showCurl);
showCurl();

const doors = [
  door(at('socketio'), { open: openRewards, close: closeRewards }),
  door(at('native'), { open: openNative, close: closeNative }),
];

/** Who has given another proof comes in again with it, wherever he is in. */
function listenAgain() {
  for (const one of doors) one.again();
}

doors[0].enter();
