-- USR-26: an invoice, for whoever knows its id.
-- $1 unused, $2 invoice_id
-- One row: Invoice.
SELECT invoice_json(i) FROM payment_invoices i WHERE $1::bigint IS NULL AND invoice_id = $2::text
