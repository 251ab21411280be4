-- Reads accounts without locking them: all of a posting whose refusal is to be confirmed, or only the unbounded ones.
-- Params: $1 ids, $2 bounded ones too. Rows: id, owner, asset, status, unbounded, balance, version, lifetime.
SELECT id, coalesce(owner_user_id, 0), asset, status, unbounded, balance, version, lifetime
FROM account
WHERE id = ANY ($1::bigint[]) AND (unbounded OR $2::boolean)
