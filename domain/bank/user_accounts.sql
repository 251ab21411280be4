-- A user and his accounts as the tables have them, when memory does not know him.
-- $1 user
-- Rows: messages, the user's first.
SELECT message FROM (
    SELECT 0 AS place, user_message(u) AS message FROM users u WHERE id = $1::bigint
    UNION ALL
    SELECT id, account_message(a) FROM account a WHERE owner_user_id = $1::bigint) AS found
ORDER BY place
