// Rows of payments, written as the server itself writes them.
import { execute } from './pg.mjs';

/** What a change of status puts into its user's inbox. person: { email }.
 *  The data as contract/70-events has it: invoiceId, status, amount, paidAt. */
export async function tellPayment(server, person, { paidAt = null, ...data }) {
  const all = JSON.stringify({
    externalId: data.invoiceId, username: person.email.split('@')[0], previousStatus: 'PENDING', currency: 'USD',
    paidAt, ...data,
  });
  await execute(server.database, `SELECT tell_inbox(ARRAY[id], 'payment-status', ARRAY['${all}'::jsonb]) FROM users
    WHERE email = '${person.email}'`);
}

/** `n` open invoices of the person's at Xendit, NAME-1 and on; both ids are the same. expires: in SQL. */
export async function openInvoices(server, person, name, n, expires = "now() + interval '24 hours'") {
  await execute(server.database, `INSERT INTO payment_invoices
    (invoice_id, external_id, user_id, amount, description, provider, expiry_date)
    SELECT '${name}-' || n, '${name}-' || n, u.id, 100, 'x', 'xendit', ${expires}
    FROM generate_series(1, ${n}) AS n, users u WHERE u.email = '${person.email}'`);
}
