-- An invoice of its owner's, to be cancelled or looked up at the provider.
-- $1 owner, $2 invoice_id, $3 whether it is to be cancelled: noted while it is open
-- One row: id, user, amount, status, wallet, its status, external_id, description, name (see apply.c), Invoice. No row: it is none of his.
WITH noted AS (
    UPDATE payment_invoices SET cancelling = true
    WHERE $3::boolean AND invoice_id = $2::text AND user_id = $1::bigint AND status = 'PENDING'
)
SELECT i.id, i.user_id, i.amount, i.status, w.id, w.status, i.external_id, i.description, user_name(u), invoice_json(i)
FROM payment_invoices i JOIN users u ON u.id = i.user_id
LEFT JOIN account w ON w.owner_user_id = i.user_id AND w.kind = 'wallet'
WHERE i.invoice_id = $2::text AND i.user_id = $1::bigint
