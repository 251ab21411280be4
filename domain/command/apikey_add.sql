-- A key for a holder who has none; one whose key was revoked gets a new one and stays the same holder. Nobody is told: no process
-- remembers that a key is none, and sockets that the new one has opened already must stay.
-- $1 holder, $2 hash, $3 scopes separated by commas
-- One row: id, scopes. No row: the holder has an active key.
WITH written AS (
    INSERT INTO api_keys (holder, key_hash, scopes) VALUES ($1::text, $2::bytea, string_to_array($3::text, ','))
    ON CONFLICT (lower(holder)) DO UPDATE
    SET key_hash = excluded.key_hash, scopes = excluded.scopes, is_active = true, last_used_at = NULL, created_at = now()
    WHERE NOT api_keys.is_active
    RETURNING id, scopes
)
SELECT id, array_to_string(scopes, ',') FROM written
