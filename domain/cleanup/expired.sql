-- Deletes what nobody asks for any more, a bounded number at a time; a day is kept for whoever looks into a complaint,
-- but not of sign-ups that were never confirmed: they are of people who are not ours. What providers sent is kept for ninety days. Its
-- ids follow its age, so that the oldest are found without an index that every callback would have to write.
-- $1 how many of each at most
-- One row: how many attempts, links, sessions, sign-ups, codes and words of providers were deleted.
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
), old_signups AS (
    DELETE FROM pending_signups WHERE id IN (SELECT id FROM pending_signups WHERE expires_at < now() LIMIT $1::bigint) RETURNING 1
), old_codes AS (
    DELETE FROM phone_codes WHERE user_id IN (SELECT user_id FROM phone_codes WHERE expires_at < now() LIMIT $1::bigint) RETURNING 1
), old_words AS (
    DELETE FROM provider_logs WHERE created_at < now() - interval '90 days'
        AND id = ANY (ARRAY(SELECT id FROM provider_logs ORDER BY id LIMIT $1::bigint))
    RETURNING 1
)
SELECT (SELECT count(*) FROM old_attempts), (SELECT count(*) FROM old_links), (SELECT count(*) FROM old_sessions),
    (SELECT count(*) FROM old_signups), (SELECT count(*) FROM old_codes),
    (SELECT count(*) FROM old_words)
