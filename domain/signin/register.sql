-- BANK-01: a new customer with all that belongs to him, in one commit. The unique indexes on e-mail, username and referral code decide
-- about two at the same moment.
-- $1 e-mail, $2 first name, $3 last name, $4 password hash, $5 referral code or NULL
-- $6 hash of the token for verifying the e-mail, $7 subject, $8 text, $9 html of the welcome mail
-- $10 life of the session in seconds, $11 surface, $12 whether the referral is due at once
-- One row: id, jti, issued and expiry in seconds since 1970, the user's message, the messages of his accounts, an array of texts, the
-- referrer's message or NULL.
-- No row: the code is nobody's.
WITH created AS (
    INSERT INTO users (username, email, first_name, last_name, referral_code)
    SELECT free_username($1::text), $1::text, $2::text, $3::text, new_referral_code()
    WHERE $5::text IS NULL OR EXISTS (SELECT FROM users WHERE referral_code = upper($5::text) AND status = 'active')
    RETURNING *
), credentials AS (
    INSERT INTO user_credentials (user_id, password_hash) SELECT id, $4::text FROM created
), token AS (
    INSERT INTO one_time_tokens (token_hash, kind, user_id, email, expires_at)
    SELECT $6::bytea, 'VERIFY_EMAIL', id, email, now() + interval '7 days' FROM created
), mail AS (
    INSERT INTO mail_outbox (to_address, subject, body, html)
    SELECT email, $7::text, $8::text, $9::text FROM created
), session AS (
    INSERT INTO sessions (jti, user_id, surface, expires_at)
    SELECT new_jti(), id, $11::text, now() + $10::bigint * interval '1 second' FROM created
    RETURNING jti, issued_at, expires_at
), told AS MATERIALIZED (
    SELECT c.id, user_message(c::users) AS user_told, tell(user_message(c::users)),
        (SELECT json_agg(m) FROM open_own_accounts(c.id) AS m) AS accounts_told,
        CASE WHEN $5::text IS NOT NULL THEN use_referral_code(c.id, $5::text, $12::boolean) END AS referrer_told
    FROM created c
)
SELECT told.id, s.jti, extract(epoch FROM s.issued_at)::bigint, extract(epoch FROM s.expires_at)::bigint,
    told.user_told, told.accounts_told, told.referrer_told
FROM told CROSS JOIN session s
