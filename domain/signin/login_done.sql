-- BANK-02, USR-01, the password matched: a session, if the password is still the one and the attempt is still free. Many guesses at once
-- are verified one after the other, so that the right one behind ten wrong ones is refused here.
-- $1 user, $2 the hash that matched, $3 name, $4 address of the client, $5 whether failures are limited
-- $6 life in seconds, $7 surface
-- One row: seconds to wait, whether the user is active, jti (NULL: none was issued), issued and expiry in seconds since 1970, the user's
-- message. No row: the password has changed meanwhile.
WITH held AS MATERIALIZED (   -- a password change under way is waited for
    SELECT user_id FROM user_credentials WHERE user_id = $1::bigint AND password_hash = $2::text FOR SHARE
), free AS MATERIALIZED (
    SELECT CASE WHEN $5::boolean THEN
               greatest(attempt_wait('login', lower($3::text) || ' ' || $4::text, 10, interval '15 minutes'),
                        attempt_wait('login-address', $4::text, 30, interval '15 minutes')) ELSE 0 END AS wait
), session AS (
    INSERT INTO sessions (jti, user_id, surface, expires_at)
    SELECT new_jti(), u.id, $7::text, now() + $6::bigint * interval '1 second'
    FROM held JOIN users u ON u.id = held.user_id CROSS JOIN free
    WHERE u.status = 'active' AND free.wait = 0
    RETURNING jti, user_id, issued_at, expires_at
)
SELECT free.wait, u.status = 'active', s.jti, extract(epoch FROM s.issued_at)::bigint, extract(epoch FROM s.expires_at)::bigint,
    user_message(u)
FROM held JOIN users u ON u.id = held.user_id CROSS JOIN free LEFT JOIN session s ON s.user_id = u.id
