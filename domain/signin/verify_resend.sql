-- BANK-26: a new link to the address of a user who has not verified it; five an hour.
-- $1 user, $2 whether requests are limited, $3 hash of the token, $4 subject, $5 text, $6 html
-- One row: whether there is an address, whether it is verified, seconds to wait (0: the mail is in the outbox).
WITH asked AS MATERIALIZED (
    SELECT u.id, u.email, u.email_verified_at IS NOT NULL AS verified,
        CASE WHEN $2::boolean AND u.email IS NOT NULL AND u.email_verified_at IS NULL
             THEN attempt_count('verify-email', u.id::text, 5, interval '1 hour') ELSE 0 END AS wait
    FROM users u WHERE u.id = $1::bigint
), addressed AS (
    SELECT id, email FROM asked WHERE email IS NOT NULL AND NOT verified AND wait = 0
), token AS (
    INSERT INTO one_time_tokens (token_hash, kind, user_id, email, expires_at)
    SELECT $3::bytea, 'VERIFY_EMAIL', id, email, now() + interval '7 days' FROM addressed
), mail AS (
    INSERT INTO mail_outbox (to_address, subject, body, html) SELECT email, $4::text, $5::text, $6::text FROM addressed
)
SELECT email IS NOT NULL, verified, wait FROM asked
