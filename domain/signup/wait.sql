-- USR-02: the sign-up waits, in place of a former one with the same e-mail, and what confirms it is on its way.
-- $1 whether codes and links are limited, $2 e-mail, $3 username, $4 phone or NULL, $5 referral code or NULL, $6 mode, $7 password hash
-- $8 first name, $9 last name, $10 hash of the token, $11 hash of the code (OTP), $12 subject, $13 text, $14 html of the mail (LINK)
-- $15 text of the message (OTP)
-- One row: seconds until a code or link may be sent again (0: it was).
WITH free AS MATERIALIZED (
    SELECT CASE WHEN $1::boolean THEN
        greatest(attempt_count('proof', $2::text, 5, interval '1 hour'),
                 CASE WHEN $6::text = 'OTP' THEN attempt_count('proof', $4::text, 5, interval '1 hour') ELSE 0 END) ELSE 0 END AS wait
), entry AS (
    INSERT INTO pending_signups AS p (username, email, phone, password_hash, first_name, last_name, referral_code, mode, token_hash,
                                      otp_hash, otp_expires_at, expires_at)
    SELECT $3::text, $2::text, $4::text, $7::text, $8::text, $9::text, upper($5::text), $6::text::signup_mode, $10::bytea, $11::bytea,
        CASE WHEN $6::text = 'OTP' THEN now() + interval '5 minutes' END, now() + interval '24 hours'
    FROM free WHERE wait = 0
    ON CONFLICT (email) DO UPDATE SET (username, phone, password_hash, first_name, last_name, referral_code, mode, token_hash, otp_hash,
                                       otp_expires_at, otp_attempts, expires_at, created_at)
        = (excluded.username, excluded.phone, excluded.password_hash, excluded.first_name, excluded.last_name, excluded.referral_code,
           excluded.mode, excluded.token_hash, excluded.otp_hash, excluded.otp_expires_at, 0, excluded.expires_at, now())
    RETURNING p.email, p.phone, p.mode
), mail AS (
    INSERT INTO mail_outbox (to_address, subject, body, html)
    SELECT email, $12::text, $13::text, $14::text FROM entry WHERE mode = 'LINK'
), sms AS (
    INSERT INTO sms_outbox (to_phone, text) SELECT phone, $15::text FROM entry WHERE mode = 'OTP'
)
SELECT wait FROM free
