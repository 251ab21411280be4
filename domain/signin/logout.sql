-- BANK-20: ends one session and tells every process.
-- $1 jti
-- One row: the message, NULL when it was ended before.
WITH ended AS (
    UPDATE sessions SET revoked_at = now() WHERE jti = $1::text AND revoked_at IS NULL RETURNING jti, user_id, expires_at
), told AS MATERIALIZED (
    SELECT m.message, tell(m.message)
    FROM ended e, LATERAL (SELECT jsonb_build_object('t', 'revoke', 'jti', e.jti, 'user', e.user_id,
                                                     'exp', ceil(extract(epoch FROM e.expires_at))::bigint) AS message) m
)
SELECT (SELECT message FROM told)
