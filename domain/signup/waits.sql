-- USR-60: whether a sign-up waits for this token.
-- $1 hash of the token
-- One row: its mode. No row: unknown, used, replaced or expired.
SELECT mode::text FROM pending_signups WHERE token_hash = $1::bytea AND expires_at > now()
