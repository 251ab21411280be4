-- BANK-23: one transaction that touches an account of the caller.
-- $1 caller, $2 transaction
-- One row: the reply; none: no such transaction for this caller.
SELECT json_build_object('transaction', json_build_object(
    '_id', pid('t', t.id), 'type', substr(t.kind, 6), 'fromAccount', pid('a', t.debit), 'toAccount', pid('a', t.credit),
    'amount', amount_of(t.amount), 'status', 'completed', 'idempotencyKey', t.idem_key,
    'createdAt', iso(t.created_at), 'updatedAt', iso(t.created_at)))
FROM transfer t
WHERE t.id = $2::bigint AND t.kind IN ('bank.transfer', 'bank.initial_funds')
  AND EXISTS (SELECT FROM account a WHERE a.id IN (t.debit, t.credit) AND a.owner_user_id = $1::bigint)
