// BANK-26: a link in a mail is opened by scanners and previews too, so only the button does it.
const form = document.getElementById('form');
const said = document.getElementById('said');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  form.hidden = true;
  try {
    const token = new URLSearchParams(location.search).get('token') ?? '';
    const reply = await fetch('/api/auth/verify-email', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token }),
    });
    said.textContent = (await reply.json()).message;
    form.hidden = reply.status < 500;
  } catch {
    said.textContent = 'That did not work, please try again.';
    form.hidden = false;
  }
});
