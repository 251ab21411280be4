-- Keeps what a provider has sent as it came, and finds the invoice it is about: by our id, or by his when ours is not named. That it is
-- kept need not be on disk before the answer; what follows from it is.
-- $1 external_id or NULL, $2 the provider's id or NULL, $3 the body
-- One row: id, user, amount, status, wallet, its status, external_id, description, name (see apply.c). No row: there is none, or the
-- two ids are of two.
WITH unhurried AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), kept AS (
    INSERT INTO provider_logs (subject, subject_id, direction, body)
    SELECT 'checkout', coalesce($1::text, $2::text), 'in', $3::text FROM unhurried
), found AS (
    SELECT * FROM payment_invoices WHERE external_id = $1::text
    UNION
    SELECT * FROM payment_invoices WHERE invoice_id = $2::text
)
SELECT i.id, i.user_id, i.amount, i.status, w.id, w.status, i.external_id, i.description, user_name(u)
FROM found i JOIN users u ON u.id = i.user_id LEFT JOIN account w ON w.owner_user_id = i.user_id AND w.kind = 'wallet'
WHERE (SELECT count(*) FROM found) = 1
