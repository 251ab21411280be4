// What a payment's change of status puts into its user's inbox, written as the server itself writes such rows.
import { execute } from './pg.mjs';

/** person: { email }. The data as contract/70-events has it: invoiceId, status, amount, paidAt. */
export async function tellPayment(server, person, { paidAt = null, ...data }) {
  const all = JSON.stringify({
    externalId: data.invoiceId, username: person.email.split('@')[0], previousStatus: 'PENDING', currency: 'USD',
    paidAt, ...data,
  });
  await execute(server.database, `SELECT tell_inbox(ARRAY[id], 'payment-status', ARRAY['${all}'::jsonb]) FROM users
    WHERE email = '${person.email}'`);
}
