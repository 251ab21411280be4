-- USR-05: a link to a new password for the active user of an address; five requests an hour, whoever has the address.
-- $1 e-mail, $2 whether requests are limited, $3 hash of the token, $4 subject, $5 text, $6 html
-- One row: seconds to wait (0: done), whether there is such a user.
WITH asked AS MATERIALIZED (
    SELECT attempt_count('reset', $1::text, CASE WHEN $2::boolean THEN 5 ELSE 1000000000 END, interval '1 hour') AS wait
), found AS (
    SELECT id, email FROM users, asked WHERE email = $1::text AND status = 'active' AND wait = 0
), token AS (
    INSERT INTO one_time_tokens (token_hash, kind, user_id, email, expires_at)
    SELECT $3::bytea, 'RESET_PWD', id, email, now() + interval '30 minutes' FROM found
), mail AS (
    INSERT INTO mail_outbox (to_address, subject, body, html) SELECT email, $4::text, $5::text, $6::text FROM found
)
SELECT wait, EXISTS (SELECT FROM users WHERE email = $1::text AND status <> 'deleted') FROM asked
