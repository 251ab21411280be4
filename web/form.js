// A page that a mailed link opens: its one form is sent as JSON, with the link's token, to where its `action` says.
// Scanners and previews open links in mails, too, so only the button does something.
const form = document.getElementById('form');
const said = document.getElementById('said');

// Trying again helps where there is something to correct, or where it was not the link's fault.
function again({ ok, status }) {
  if (ok || status === 401) return false;
  return form.querySelector('input') !== null || status === 429 || status >= 500;
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(new FormData(form));
  form.hidden = true;
  try {
    const token = new URLSearchParams(location.search).get('token') ?? '';
    const reply = await fetch(form.action, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ ...fields, token }),
    });
    const { message, errors } = await reply.json();
    said.textContent = [message, ...(errors ?? []).map((error) => `${error.field} ${error.message}`)].join('. ');
    form.hidden = !again(reply);
  } catch {
    said.textContent = 'That did not work, please try again.';
    form.hidden = false;
  }
});
