-- Takes due mails for sending: until the lease ends nobody else takes them, and when the sender dies they are due again then.
-- One row each: id, address, subject, text, html, milliseconds until the next mail that is not due yet (NULL: there is none).
-- Always at least one row, whose id is NULL when nothing is due.
WITH due AS MATERIALIZED (
    SELECT id FROM mail_outbox WHERE status = 'waiting' AND next_try_at <= now()
    ORDER BY next_try_at LIMIT 20 FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE mail_outbox m SET attempts = attempts + 1, next_try_at = now() + interval '2 minutes'
    FROM due WHERE m.id = due.id
    RETURNING m.id, m.to_address, m.subject, m.body, m.html
)
SELECT t.id, t.to_address, t.subject, t.body, t.html, later.ms
FROM (SELECT ceil(extract(epoch FROM min(next_try_at) - now()) * 1000)::bigint AS ms
      FROM mail_outbox WHERE status = 'waiting' AND next_try_at > now()) later
LEFT JOIN taken t ON true
ORDER BY t.id
