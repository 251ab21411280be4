-- Locks the bounded accounts of an exact batch, in the order of their ids, and reads them as they are then.
-- Params: $1 ids. Rows: id, owner, asset, status, unbounded, balance, version, lifetime.
SELECT id, coalesce(owner_user_id, 0), asset, status, unbounded, balance, version, lifetime
FROM account
WHERE id = ANY ($1::bigint[]) AND NOT unbounded
ORDER BY id
FOR NO KEY UPDATE
