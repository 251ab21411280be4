// What the link to a new password opens when there is no front end.
const form = document.getElementById('form');
const said = document.getElementById('said');

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(form));
  form.hidden = true;
  try {
    const token = new URLSearchParams(location.search).get('token') ?? '';
    const reply = await fetch('/reset-pwd', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...fields, token }),
    });
    const { message, errors } = await reply.json();
    said.textContent = [message, ...(errors ?? []).map((error) => `${error.field} ${error.message}`)].join('. ');
    form.hidden = reply.ok || reply.status === 401;
  } catch {
    said.textContent = 'That did not work, please try again.';
    form.hidden = false;
  }
});
