-- The revoked tokens that have not expired. tokens_from covers those of a changed password; these were revoked one by one.
SELECT jti, extract(epoch FROM expires_at)::bigint
FROM sessions WHERE revoked_at IS NOT NULL AND expires_at > now()
