-- Deletes what nobody asks for any more, a bounded number at a time; a day is kept for whoever looks into a complaint.
-- $1 how many of each at most
-- One row: how many attempts, links and sessions were deleted.
WITH old_attempts AS (
    DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE created_at < now() - interval '1 day' LIMIT $1::bigint)
    RETURNING 1
), old_links AS (
    DELETE FROM one_time_tokens
    WHERE token_hash IN (SELECT token_hash FROM one_time_tokens WHERE expires_at < now() - interval '1 day' LIMIT $1::bigint)
    RETURNING 1
), old_sessions AS (
    DELETE FROM sessions WHERE jti IN (SELECT jti FROM sessions WHERE expires_at < now() - interval '1 day' LIMIT $1::bigint)
    RETURNING 1
)
SELECT (SELECT count(*) FROM old_attempts), (SELECT count(*) FROM old_links), (SELECT count(*) FROM old_sessions)
