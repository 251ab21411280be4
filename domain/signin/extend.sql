-- USR-08: another session of the same person, while the presented one is good. Both rows are held, so that a new password or a log-off
-- at the same moment comes either before (then there is none) or after (then it ends this one, too).
-- $1 caller, $2 jti, $3 life in seconds
-- One row: jti, issued and expiry in seconds since 1970. No row: the presented one has ended.
WITH held AS MATERIALIZED (
    SELECT u.id FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.jti = $2::text AND u.id = $1::bigint AND s.revoked_at IS NULL AND s.issued_at >= u.tokens_from AND u.status = 'active'
    FOR SHARE
)
INSERT INTO sessions (jti, user_id, surface, expires_at)
SELECT new_jti(), id, 'userstate', now() + $3::bigint * interval '1 second' FROM held
RETURNING jti, extract(epoch FROM issued_at)::bigint, extract(epoch FROM expires_at)::bigint
