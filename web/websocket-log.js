// The list of what has arrived, newest on top. Bounded: a page that is left open for days must not grow for days.
const ENTRIES_MAX = 500;

const list = document.getElementById('log');
const count = document.getElementById('count');
const empty = document.getElementById('empty');
let events = 0;

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function clockTime() {
  const now = new Date();
  const time = element('time', '', now.toLocaleTimeString([], { hour12: false }));
  time.dateTime = now.toISOString();
  return time;
}

function tell() {
  count.textContent = events === 0 ? 'none yet' : events === 1 ? 'one event' : `${events} events`;
  empty.hidden = list.children.length > 0 && (events > 0 || list.classList.contains('chatty'));
}

/** Shows one message. `chatter`: no event, but a greeting, an answer, a connection that came or went. */
export function show(door, name, data, { chatter = false } = {}) {
  const entry = element('li', chatter ? 'chatter' : '', '');
  const head = element('div', 'head', '');
  head.append(clockTime(), element('span', 'event', name), element('span', 'door', door));
  entry.append(head);
  if (data !== undefined) entry.append(element('pre', '', JSON.stringify(data, null, 2)));
  list.prepend(entry);
  while (list.children.length > ENTRIES_MAX) list.lastChild.remove();
  if (!chatter) events += 1;
  tell();
}

document.getElementById('clear').addEventListener('click', () => {
  list.replaceChildren();
  events = 0;
  tell();
});

document.getElementById('chatter').addEventListener('change', (event) => {
  list.classList.toggle('chatty', event.target.checked);
  tell();
});
