-- Takes pictures that are to go: until the lease ends nobody else takes them, and when the remover dies they are due again then.
-- One row each: id, key, milliseconds until the next that is not due yet (NULL: there is none).
-- Always at least one row, whose id is NULL when nothing is due.
WITH due AS MATERIALIZED (
    SELECT id FROM picture_removals WHERE status = 'waiting' AND next_try_at <= now()
    ORDER BY next_try_at LIMIT 20 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE picture_removals r SET attempts = attempts + 1, next_try_at = now() + interval '2 minutes'
    FROM due WHERE r.id = due.id
    RETURNING r.id, r.key
)
SELECT t.id, t.key, later.ms
FROM (SELECT ceil(extract(epoch FROM min(next_try_at) - now()) * 1000)::bigint AS ms
      FROM picture_removals WHERE status = 'waiting' AND next_try_at > now()) later
LEFT JOIN taken t ON true
ORDER BY t.id
