-- BANK-26: uses the link up; the address must still be the user's.
-- $1 hash of the token
-- One row: the user, whether a referral is due now. No row: unknown, used, expired, or of another address.
WITH used AS (
    UPDATE one_time_tokens t SET used_at = now()
    FROM users u
    WHERE t.token_hash = $1::bytea AND t.kind = 'VERIFY_EMAIL' AND t.used_at IS NULL AND t.expires_at > now()
        AND u.id = t.user_id AND u.email = t.email AND u.status <> 'deleted'
    RETURNING t.user_id, t.email
), verified AS (
    UPDATE users SET email_verified_at = coalesce(email_verified_at, now()), updated_at = now()
    FROM used WHERE users.id = used.user_id AND users.email = used.email
    RETURNING users.id, users.email
)
SELECT id, identity_proved(id, 'email', email) FROM verified
