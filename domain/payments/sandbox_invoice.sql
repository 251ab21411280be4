-- USR-27 without a provider: an invoice of the caller's as Xendit would report it.
-- $1 caller, $2 invoice_id, $3 currency
-- One row: the provider's invoice. No row: it is none of his.
SELECT json_build_object('id', i.invoice_id, 'external_id', i.external_id, 'user_id', 'sandbox',
    'status', CASE WHEN i.status = 'PENDING' AND i.expiry_date <= now() THEN 'EXPIRED'
                   WHEN i.status IN ('CANCELLED', 'FAILED') THEN 'EXPIRED' ELSE i.status::text END,
    'merchant_name', 'tally', 'amount', amount_of(i.amount), 'payer_email', u.email, 'description', i.description,
    'invoice_url', i.invoice_url, 'expiry_date', iso(i.expiry_date), 'created', iso(i.created_at), 'updated', iso(i.updated_at),
    'currency', $3::text)
FROM payment_invoices i JOIN users u ON u.id = i.user_id
WHERE i.invoice_id = $2::text AND i.user_id = $1::bigint
