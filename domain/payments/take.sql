-- Keeps what a provider has sent as it came, and finds the invoice it is about: by our id, or by his when ours is not named. That it is
-- kept need not be on disk before the answer; what follows from it is.
-- $1 external_ids or NULL, $2 the provider's ids or NULL, $3 the bodies: arrays of one length
-- Rows: id, user, amount, status, wallet, its status, external_id, description, name (see apply.c), place. No row: there is none, or the
-- two ids are of two.
WITH unhurried AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), asked AS MATERIALIZED (
    SELECT a.* FROM unhurried, unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY AS a (external_id, provider_id, body, place)
), kept AS (
    INSERT INTO provider_logs (subject, subject_id, direction, body)
    SELECT 'checkout', coalesce(external_id, provider_id), 'in', body FROM asked ORDER BY place
), found AS (
    SELECT place, (SELECT id FROM payment_invoices i WHERE i.external_id = a.external_id) AS by_ours,
        (SELECT id FROM payment_invoices i WHERE i.invoice_id = a.provider_id) AS by_his
    FROM asked a
)
SELECT i.id, i.user_id, i.amount, i.status, w.id, w.status, i.external_id, i.description, u.name, f.place
FROM found f
CROSS JOIN LATERAL (SELECT * FROM payment_invoices p WHERE p.id = coalesce(f.by_ours, f.by_his) LIMIT 1) AS i
CROSS JOIN LATERAL (SELECT user_name(users) AS name FROM users WHERE users.id = i.user_id LIMIT 1) AS u
LEFT JOIN LATERAL (SELECT * FROM account WHERE owner_user_id = i.user_id AND kind = 'wallet' LIMIT 1) AS w ON true
WHERE f.by_ours = f.by_his OR f.by_ours IS NULL OR f.by_his IS NULL
