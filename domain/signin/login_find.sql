-- BANK-02, USR-01: whether an attempt is free, and what the password is compared with. A name is an e-mail or a username: the one has
-- an '@' and the other has none.
-- $1 name, $2 address of the client, $3 whether failures are limited, $4 whether sign-ups that wait are looked at, too
-- One row: seconds to wait (0: go on), user, hash, mode of a sign-up that waits. The last three are NULL for an unknown name; the hash
-- also of a user without password.
SELECT w.wait, f.user_id, f.password_hash, f.mode
FROM (SELECT CASE WHEN $3::boolean THEN
                 greatest(attempt_wait('login', lower($1::text) || ' ' || $2::text, 10, interval '15 minutes'),
                          attempt_wait('login-address', $2::text, 30, interval '15 minutes')) ELSE 0 END AS wait) w
LEFT JOIN LATERAL (
    SELECT u.id AS user_id, c.password_hash, NULL AS mode, 1 AS rank, u.created_at
    FROM users u LEFT JOIN user_credentials c ON c.user_id = u.id
    WHERE (u.email = lower($1::text) OR lower(u.username) = lower($1::text)) AND u.status <> 'deleted'
    UNION ALL
    SELECT NULL, p.password_hash, p.mode::text, 2, p.created_at
    FROM pending_signups p
    WHERE $4::boolean AND (p.email = lower($1::text) OR lower(p.username) = lower($1::text)) AND p.expires_at > now()
    ORDER BY rank, created_at DESC LIMIT 1) f ON true
