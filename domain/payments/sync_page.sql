-- The next open invoices to be asked for; the lease is renewed. (Whoever has lost it meanwhile gets none.)
-- $1 the last one's id, $2 how many, $3 who, $4 provider
-- Rows: id, user, amount, status, wallet, its status, external_id, description, name (see apply.c), invoice_id, whether its time is over.
WITH renewed AS (
    UPDATE jobs SET leased_till = now() + interval '2 minutes' WHERE name = 'payment-sync' AND holder = $3::text RETURNING 1
)
SELECT i.id, i.user_id, i.amount, i.status, w.id, w.status, i.external_id, i.description, user_name(u), i.invoice_id,
    i.expiry_date <= now()
FROM renewed CROSS JOIN LATERAL (
    SELECT * FROM payment_invoices
    WHERE status = 'PENDING' AND id > $1::bigint AND invoice_id IS NOT NULL AND provider = $4::text
    ORDER BY id LIMIT $2::bigint) AS i
JOIN users u ON u.id = i.user_id LEFT JOIN account w ON w.owner_user_id = i.user_id AND w.kind = 'wallet'
ORDER BY i.id
