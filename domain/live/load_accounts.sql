-- A chunk of the accounts, as the book keeps them.
-- $1 the last id of the chunk before, $2 how many
SELECT id, owner_user_id, kind, code, asset, status, unbounded, balance, version, lifetime, micros(created_at), micros(updated_at)
FROM account WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint
