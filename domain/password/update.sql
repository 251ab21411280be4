-- USR-07: sets the password when the old one is still the one, with a session of the moment from which tokens count again.
-- $1 user, $2 password hash, $3 the hash that matched, $4 life in seconds
-- One row: jti, issued and expiry in seconds since 1970, the user's message. No row: the password has changed meanwhile.
WITH changed AS MATERIALIZED (
    SELECT (c.person).id, (c.person).tokens_from, user_message(c.person) AS message
    FROM (SELECT set_password($1::bigint, $2::text, $3::text) AS person) c
), session AS (
    INSERT INTO sessions (jti, user_id, surface, issued_at, expires_at)
    SELECT new_jti(tokens_from), id, 'userstate', tokens_from, tokens_from + $4::bigint * interval '1 second'
    FROM changed WHERE id IS NOT NULL
    RETURNING jti, issued_at, expires_at
)
SELECT s.jti, extract(epoch FROM s.issued_at)::bigint, extract(epoch FROM s.expires_at)::bigint, c.message
FROM session s CROSS JOIN changed c
