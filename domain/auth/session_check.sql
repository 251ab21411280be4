-- A token's session and its user as the tables have them, when memory cannot tell.
-- $1 jti
-- One row: the user's message, whether the token is void. No row: there is no such session.
SELECT user_message(u), s.revoked_at IS NOT NULL OR s.expires_at <= now() OR s.issued_at < u.tokens_from
FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.jti = $1::text AND s.realm = 'customer'
