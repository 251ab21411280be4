-- Forgets old text messages: they hold people's numbers.
DELETE FROM sms_outbox
WHERE (status = 'sent' AND created_at < now() - interval '7 days') OR (status = 'given_up' AND created_at < now() - interval '30 days')
