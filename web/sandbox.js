// The payer's page of the sandbox provider: shows an invoice, and pays it or lets it expire.
const here = location.pathname.replace(/\/$/, '');
const place = (id) => document.getElementById(id);

function show(invoice) {
  for (const name of ['amount', 'description', 'status', 'expiry_date']) place(name).textContent = invoice[name];
  place('buttons').hidden = invoice.status !== 'PENDING';
}

async function ask(path, options) {
  place('said').textContent = '';
  try {
    const reply = await fetch(path, options);
    const body = await reply.json();
    if (reply.ok) show(body);
    else place('said').textContent = options ? 'Sandbox payments are switched off here.' : body.message;
  } catch {
    place('said').textContent = 'That did not work, please try again.';
  }
}

for (const button of document.querySelectorAll('button')) {
  button.addEventListener('click', () => ask(`${here}/${button.dataset.action}`, { method: 'POST' }));
}
ask(`/invoice/detail?invoice_id=${here.split('/').pop()}`);
