-- BANK-25: sets the status; an account with a balance is not closed.
-- $1 account, $2 status
-- One row: the changed account's message or NULL, whether there is such an account.
WITH changed AS (
    UPDATE account SET status = $2::account_status, updated_at = now()
    WHERE id = $1::bigint AND owner_user_id IS NOT NULL AND kind = 'bank' AND ($2::account_status <> 'closed' OR balance = 0)
    RETURNING *
), told AS (
    SELECT account_message(a::account) AS message, tell(account_message(a::account)) FROM changed a
)
SELECT (SELECT message FROM told),
       EXISTS (SELECT FROM account WHERE id = $1::bigint AND owner_user_id IS NOT NULL AND kind = 'bank')
