-- What became of pushes that were taken; what failed is due again after 30 s, 2 min and 10 min and then given up; what was not begun is
-- due at once. What was for a device that is gone is given up.
-- $1 ids, $2 'sent', 'failed', 'refused' or 'released' for each
-- Rows: the ids that are given up.
WITH settled AS (
    UPDATE push_outbox m
    SET status = CASE WHEN s.outcome = 'sent' THEN 'sent'
                      WHEN s.outcome = 'refused' OR (s.outcome = 'failed' AND m.attempts >= 4) THEN 'given_up'
                      ELSE 'waiting' END,
        attempts = m.attempts - CASE WHEN s.outcome = 'released' THEN 1 ELSE 0 END,
        next_try_at = now() + CASE WHEN s.outcome <> 'failed' THEN interval '0' WHEN m.attempts = 1 THEN interval '30 seconds'
                                   WHEN m.attempts = 2 THEN interval '2 minutes' ELSE interval '10 minutes' END
    FROM unnest($1::bigint[], $2::text[]) AS s (id, outcome)
    WHERE m.id = ANY ($1::bigint[]) AND s.id = m.id AND m.status = 'waiting'
    RETURNING m.id, m.status
)
SELECT id FROM settled WHERE status = 'given_up'
