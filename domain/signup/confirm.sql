-- USR-04: confirms the sign-up of a token, with a session. With a code by SMS the e-mail is not proved yet: the welcome has the link.
-- $1 hash of the token, $2 hash of the code or NULL, $3 life of the session in seconds
-- $4 hash of the token for verifying the e-mail, $5 subject, $6 text, $7 html of the welcome
-- One row: outcome (confirm_signup), the user, what was told, jti, issued and expiry in seconds since 1970, whether a referral is due now;
-- all but the first NULL unless it is done.
WITH done AS MATERIALIZED (
    SELECT * FROM confirm_signup($1::bytea, $2::bytea)
), session AS (
    INSERT INTO sessions (jti, user_id, surface, expires_at)
    SELECT new_jti(), person, 'userstate', now() + $3::bigint * interval '1 second' FROM done WHERE outcome = 'done'
    RETURNING jti, issued_at, expires_at
), token AS (
    INSERT INTO one_time_tokens (token_hash, kind, user_id, email, expires_at)
    SELECT $4::bytea, 'VERIFY_EMAIL', person, email, now() + interval '7 days' FROM done WHERE outcome = 'done' AND mode = 'OTP'
), mail AS (
    INSERT INTO mail_outbox (to_address, subject, body, html)
    SELECT email, $5::text, $6::text, $7::text FROM done WHERE outcome = 'done' AND mode = 'OTP'
)
SELECT d.outcome, d.person, d.told, s.jti, extract(epoch FROM s.issued_at)::bigint, extract(epoch FROM s.expires_at)::bigint,
    d.due
FROM done d LEFT JOIN session s ON true
