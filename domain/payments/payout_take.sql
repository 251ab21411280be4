-- Keeps what a provider has sent as it came, and finds the payout it is about.
-- $1 reference_id or NULL, $2 the provider's id or NULL, $3 the body
-- One row: id, amount, wallet, its status, reference_id, bank, account, holder, description, status. No row: there is none.
WITH unhurried AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), kept AS (
    INSERT INTO provider_logs (subject, subject_id, direction, body)
    SELECT 'payout', coalesce($1::text, $2::text), 'in', $3::text FROM unhurried
), found AS (
    SELECT * FROM payouts WHERE reference_id = $1::text
    UNION
    SELECT * FROM payouts WHERE provider_id = $2::text
)
SELECT p.id, p.amount, w.id, w.status, p.reference_id, p.bank_code, p.account_number, p.account_holder_name, p.description, p.status
FROM found p LEFT JOIN account w ON w.owner_user_id = p.user_id AND w.kind = 'wallet'
WHERE (SELECT count(*) FROM found) = 1
