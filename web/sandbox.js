// The payer's page of the sandbox provider: shows an invoice, and pays it or lets it expire.
const here = location.pathname.replace(/\/$/, '');
const place = (id) => document.getElementById(id);

const closed = {
  PAID: 'Thank you. You can close this page.',
  EXPIRED: 'Nobody can pay it any more.',
  CANCELLED: 'It was called off, nobody can pay it any more.',
  FAILED: 'The payment did not work.',
};

const money = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' });

function show({ amount, description, status, expiry_date: expires }) {
  place('amount').textContent = money.format(amount);
  place('description').textContent = description;
  place('status').textContent = status;
  place('status').className = status;
  place('expiry_date').textContent = moment.format(new Date(expires));
  place('buttons').hidden = status !== 'PENDING';
  for (const part of document.querySelectorAll('.open')) part.hidden = status !== 'PENDING';
  place('said').textContent = closed[status] ?? '';
}

function disable(disabled) {
  for (const button of document.querySelectorAll('button')) button.disabled = disabled;
}

async function ask(path, options) {
  place('said').textContent = '';
  disable(true);
  try {
    const reply = await fetch(path, options);
    const body = await reply.json();
    if (reply.ok) show(body);
    else place('said').textContent = options ? 'Sandbox payments are switched off here.' : body.message;
  } catch {
    place('said').textContent = 'That did not work, please try again.';
  }
  disable(false);
}

for (const button of document.querySelectorAll('button')) {
  button.addEventListener('click', () => ask(`${here}/${button.dataset.action}`, { method: 'POST' }));
}
ask(`/invoice/detail?invoice_id=${here.split('/').pop()}`);
