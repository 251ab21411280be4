-- Forgets old pushes.
DELETE FROM push_outbox
WHERE (status = 'sent' AND created_at < now() - interval '7 days') OR (status = 'given_up' AND created_at < now() - interval '30 days')
