-- What a snapshot has of somebody's open invoices, as payment-status tells them: the newest, as many as a page of USR-28 may have.
-- $1 owner, $2 currency
-- One row: an array.
SELECT coalesce(jsonb_agg(invoice_event(i, u.username, NULL, $2::text) - 'previousStatus' ORDER BY i.id DESC), '[]')
FROM users u JOIN payment_invoices i ON i.id IN (
    SELECT id FROM payment_invoices
    WHERE user_id = $1::bigint AND status = 'PENDING' AND invoice_id IS NOT NULL
    ORDER BY id DESC LIMIT 100)
WHERE u.id = $1::bigint
