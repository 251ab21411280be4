-- Takes due pushes for sending: until the lease ends nobody else takes them, and when the sender dies they are due again then.
-- One row each: id, token, title, body, data, milliseconds until the next that is not due yet (NULL: there is none).
-- Always at least one row, whose id is NULL when nothing is due.
WITH due AS MATERIALIZED (
    SELECT id FROM push_outbox WHERE status = 'waiting' AND next_try_at <= now()
    ORDER BY next_try_at LIMIT 20 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE push_outbox m SET attempts = attempts + 1, next_try_at = now() + interval '2 minutes'
    FROM due WHERE m.id = due.id
    RETURNING m.id, m.token, m.title, m.body, m.data
)
SELECT t.id, t.token, t.title, t.body, t.data, later.ms
FROM (SELECT ceil(extract(epoch FROM min(next_try_at) - now()) * 1000)::bigint AS ms
      FROM push_outbox WHERE status = 'waiting' AND next_try_at > now()) later
LEFT JOIN taken t ON true
ORDER BY t.id
