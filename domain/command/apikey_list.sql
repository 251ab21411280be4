-- All keys, by holder.
-- Each row: holder, scopes, whether it is active, made, last used.
SELECT holder, array_to_string(scopes, ','), is_active, iso(created_at), coalesce(iso(last_used_at), 'never')
FROM api_keys ORDER BY lower(holder)
