-- The provider has the invoice. (Its payment may have been told before his answer.)
-- $1 invoice, $2 the provider's id, $3 address, $4 expiry in microseconds since 1970, or NULL
-- One row: Invoice.
UPDATE payment_invoices i
SET invoice_id = $2::text, invoice_url = $3::text,
    expiry_date = coalesce(to_timestamp($4::bigint::numeric / 1000000), i.expiry_date)
WHERE id = $1::bigint
RETURNING invoice_json(i)
