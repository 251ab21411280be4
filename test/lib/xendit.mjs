// A Xendit on 127.0.0.1, as far as its public interface is used: invoices, their expiry, payouts. It keeps what it was
// asked for, and a test decides what becomes of it. `mood` (see provider.mjs) makes it misbehave.
import { randomUUID } from 'node:crypto';
import { api } from './client.mjs';
import { startProvider } from './provider.mjs';

export const SECRET_KEY = 'xnd_test_key';
export const CALLBACK_TOKEN = 'a callback token of the tests';

/** env: what a server needs to know of it. invoices: by id; payouts: by reference_id. options: startProvider's. */
export async function startXendit(options) {
  const invoices = new Map();
  const payouts = new Map();
  const xendit = { invoices, payouts, mood: null, latency: 0 };
  const provider = await startProvider(async (call) => {
    if (xendit.latency) await new Promise((resolve) => { setTimeout(resolve, xendit.latency); });
    const proof = `Basic ${Buffer.from(`${SECRET_KEY}:`).toString('base64')}`;
    if (call.headers.authorization !== proof) return problem(401, 'INVALID_API_KEY');
    const mood = typeof xendit.mood === 'function' ? xendit.mood(call) : xendit.mood;
    if (mood) return mood;
    return answer(xendit, call);
  }, options);
  return Object.assign(xendit, {
    provider,
    env: { XENDIT_SECRET_KEY: SECRET_KEY, XENDIT_CALLBACK_TOKEN: CALLBACK_TOKEN, XENDIT_BASE_URL: `${provider.url}/` },
    close: provider.close,
  });
}

const problem = (status, code) => ({ status, json: { error_code: code, message: code } });

function answer({ invoices, payouts }, { method, path, json, headers }) {
  const [, id, expire] = /^\/(?:v2\/)?invoices\/([^/]+?)(\/expire!)?$/.exec(path) ?? [];
  if (method === 'POST' && path === '/v2/invoices') return { json: newInvoice(invoices, json) };
  if (method === 'POST' && path === '/v2/payouts') return newPayout(payouts, json, headers['idempotency-key']);
  const invoice = invoices.get(id);
  if (!invoice) return problem(404, 'INVOICE_NOT_FOUND_ERROR');
  if (method === 'GET' && path.startsWith('/v2/')) return { json: invoice };
  if (!expire || path.startsWith('/v2/')) return problem(404, 'NOT_FOUND');
  if (invoice.status !== 'PENDING') return problem(400, 'INVALID_STATUS');
  invoice.status = 'EXPIRED';
  return { json: invoice };
}

export function newInvoice(invoices, asked) {
  const id = randomUUID().replaceAll('-', '').slice(0, 24);
  const now = new Date();
  const invoice = {
    id, external_id: asked.external_id, user_id: '5781d19b2e2385880609791c', status: 'PENDING',
    merchant_name: 'A shop', merchant_profile_picture_url: 'https://shop.example/logo.png', amount: asked.amount,
    payer_email: asked.payer_email, description: asked.description, invoice_url: `https://checkout.example/${id}`,
    expiry_date: new Date(now.getTime() + asked.invoice_duration * 1000).toISOString(), available_banks: [],
    should_exclude_credit_card: false, created: now.toISOString(), updated: now.toISOString(), currency: asked.currency,
  };
  invoices.set(id, invoice);
  return invoice;
}

function newPayout(payouts, asked, key) {
  if (key !== asked.reference_id) return problem(400, 'API_VALIDATION_ERROR');
  if (!payouts.has(key)) payouts.set(key, { ...asked, id: `disb-${randomUUID()}`, status: 'ACCEPTED', times: 0 });
  const payout = payouts.get(key);
  payout.times++;
  return { json: payout };
}

/** The provider's own word about an invoice or a payout. */
export const tell = (server, path, body, token = CALLBACK_TOKEN) =>
  api(server).post(path, { body, headers: { 'x-callback-token': token } });
