-- USR-28: the caller's invoices, newest first.
-- $1 caller, $2 status or NULL, $3 limit, $4 page
-- One row: an array of Invoice.
SELECT coalesce(json_agg(invoice_json(page::payment_invoices) ORDER BY page.id DESC), '[]')
FROM (SELECT * FROM payment_invoices
      WHERE user_id = $1::bigint AND invoice_id IS NOT NULL AND ($2::text IS NULL OR status = $2::text::invoice_status)
      ORDER BY id DESC LIMIT $3::bigint OFFSET ($4::bigint - 1) * $3::bigint) AS page
