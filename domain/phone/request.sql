-- USR-72: a code to a number, by default the stored one; five an hour to one number, those of sign-ups included. It replaces the former.
-- $1 user, $2 number or NULL, $3 whether codes are limited, $4 hash of the code, $5 text of the message
-- One row: seconds to wait (0: it was sent), whether there is a number.
WITH asked AS MATERIALIZED (
    SELECT u.id, coalesce($2::text, u.phone) AS phone FROM users u WHERE u.id = $1::bigint
), free AS MATERIALIZED (
    SELECT id, phone, CASE WHEN $3::boolean AND phone IS NOT NULL
        THEN attempt_count('proof', phone, 5, interval '1 hour') ELSE 0 END AS wait
    FROM asked
), code AS (
    INSERT INTO phone_codes (user_id, phone, code_hash, expires_at)
    SELECT id, phone, $4::bytea, now() + interval '5 minutes' FROM free WHERE phone IS NOT NULL AND wait = 0
    ON CONFLICT (user_id) DO UPDATE
    SET phone = excluded.phone, code_hash = excluded.code_hash, attempts = 0, expires_at = excluded.expires_at
    RETURNING phone
), sms AS (
    INSERT INTO sms_outbox (to_phone, text) SELECT phone, $5::text FROM code
)
SELECT wait, phone IS NOT NULL FROM free
