-- The provider has refused the invoice, or was not reached: it was never there.
-- $1 invoice
-- No rows.
DELETE FROM payment_invoices WHERE id = $1::bigint AND status = 'PENDING' AND invoice_id IS NULL
