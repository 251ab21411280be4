-- USR-06, before the password is hashed: whether the link is good.
-- $1 hash of the token
-- One row: the user. No row: unknown, used, expired, of another address, or of a user who may not sign in.
SELECT u.id FROM one_time_tokens t JOIN users u ON u.id = t.user_id
WHERE t.token_hash = $1::bytea AND t.kind = 'RESET_PWD' AND t.used_at IS NULL AND t.expires_at > now()
    AND u.email = t.email AND u.status = 'active'
