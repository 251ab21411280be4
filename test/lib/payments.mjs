// What a payment's change of status puts into its user's inbox, written as the server itself writes such rows.
import { execute } from './pg.mjs';

/** person: { email }. The data as contract/70-events has it: invoiceId, status, amount, paidAt. */
export async function tellPayment(server, person, { paidAt = null, ...data }) {
  const all = JSON.stringify({
    externalId: data.invoiceId, username: person.email.split('@')[0], previousStatus: 'PENDING', currency: 'USD',
    paidAt, ...data,
  });
  await execute(server.database, `WITH owner AS (
      UPDATE users SET inbox_seq = inbox_seq + 1 WHERE email = '${person.email}' RETURNING id, inbox_seq
    ), written AS (
      INSERT INTO inbox (user_id, seq, type, data) SELECT id, inbox_seq, 'payment-status', '${all}' FROM owner
      RETURNING user_id, seq, type, data, created_at
    ) SELECT tell(jsonb_build_object('t', 'inbox', 'user', user_id, 'seq', seq, 'type', type, 'at', micros(created_at),
      'data', data)) FROM written`);
}
