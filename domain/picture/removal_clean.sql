-- Forgets pictures that could not be removed; the log has named them.
DELETE FROM picture_removals WHERE status = 'given_up' AND created_at < now() - interval '30 days'
