-- A user and his accounts as the tables have them.
-- $1 user or NULL, $2 username or NULL
-- Rows: the user's id, a message; the user's own first. No row: there is no such user.
WITH found AS (
    SELECT * FROM users u WHERE u.id = $1::bigint OR lower(u.username) = lower($2::text)
)
SELECT id, message FROM (
    SELECT f.id, 0 AS place, user_message(f::users) AS message FROM found f
    UNION ALL
    SELECT f.id, a.id, account_message(a) FROM found f JOIN account a ON a.owner_user_id = f.id) AS messages
ORDER BY place
