-- Ends a key; every process forgets it at once and closes its sockets.
-- $1 holder
-- One row: holder. No row: no active key.
WITH revoked AS (
    UPDATE api_keys SET is_active = false WHERE lower(holder) = lower($1::text) AND is_active RETURNING id, holder
)
SELECT holder, tell(jsonb_build_object('t', 'key', 'id', id)) FROM revoked
