-- An open invoice ends without a payment. One that its owner is cancelling is cancelled, even if the provider calls it expired.
-- $1 invoice, $2 the new status, $3 currency
-- One row: Invoice, how many were told. No row: it was not open any more.
WITH changed AS (
    UPDATE payment_invoices i
    SET status = CASE WHEN i.cancelling AND $2::text = 'EXPIRED' THEN 'CANCELLED' ELSE $2::text END::invoice_status, updated_at = now()
    FROM users u
    WHERE i.id = $1::bigint AND i.status = 'PENDING' AND u.id = i.user_id
    RETURNING i.user_id, invoice_event(i, u.username, 'PENDING', $3::text) AS event, invoice_json(i) AS invoice
)
SELECT c.invoice, tell_inbox(ARRAY[c.user_id], 'payment-status', ARRAY[c.event]) FROM changed c
