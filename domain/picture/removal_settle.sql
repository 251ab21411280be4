-- What became of pictures that were to go. What is gone is forgotten; what failed is due again after 30 s, 2 min and 10 min and then
-- given up; what was not begun is due at once, and counts as begun, so that it is never entered after all.
-- $1 ids, $2 'sent' (it is gone), 'failed', 'refused' or 'released' for each
-- Rows: the ids that are given up.
WITH fates AS MATERIALIZED (
    SELECT * FROM unnest($1::bigint[], $2::text[]) AS f (id, outcome)
), gone AS (
    DELETE FROM picture_removals r USING fates f
    WHERE r.id = ANY ($1::bigint[]) AND r.id = f.id AND f.outcome = 'sent'
), settled AS (
    UPDATE picture_removals r
    SET status = CASE WHEN f.outcome = 'refused' OR (f.outcome = 'failed' AND r.attempts >= 4) THEN 'given_up' ELSE 'waiting' END,
        attempts = greatest(1, r.attempts - CASE WHEN f.outcome = 'released' THEN 1 ELSE 0 END),
        next_try_at = now() + CASE WHEN f.outcome <> 'failed' THEN interval '0' WHEN r.attempts = 1 THEN interval '30 seconds'
                                   WHEN r.attempts = 2 THEN interval '2 minutes' ELSE interval '10 minutes' END
    FROM fates f
    WHERE r.id = ANY ($1::bigint[]) AND r.id = f.id AND r.status = 'waiting' AND f.outcome <> 'sent'
    RETURNING r.id, r.status
)
SELECT id FROM settled WHERE status = 'given_up'
