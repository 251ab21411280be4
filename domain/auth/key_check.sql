-- The key of a holder, and a note that it was used.
-- $1 holder
-- One row: id, hash of the key in hex, scopes separated by commas. No row: no such holder, or revoked.
WITH used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE lower(holder) = lower($1::text) AND is_active AND coalesce(last_used_at, 'epoch') < now() - interval '1 minute'
)
SELECT id, encode(key_hash, 'hex'), array_to_string(scopes, ',')
FROM api_keys WHERE lower(holder) = lower($1::text) AND is_active
