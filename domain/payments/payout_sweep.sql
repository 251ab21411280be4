-- Payouts of which the provider has not been heard; whoever takes one has a minute for it.
-- Rows: id, amount, wallet, its status, reference_id, bank, account, holder, description, status.
WITH due AS MATERIALIZED (
    SELECT id FROM payouts WHERE status = 'PENDING' AND provider_id IS NULL AND next_try_at <= now()
    ORDER BY next_try_at LIMIT 100 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE payouts p SET next_try_at = now() + interval '1 minute' FROM due WHERE p.id = due.id RETURNING p.*
)
SELECT p.id, p.amount, w.id, w.status, p.reference_id, p.bank_code, p.account_number, p.account_holder_name, p.description, p.status
FROM taken p LEFT JOIN account w ON w.owner_user_id = p.user_id AND w.kind = 'wallet'
