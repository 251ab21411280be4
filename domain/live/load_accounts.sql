-- A chunk of the accounts, as the book keeps them. (A subquery, not a join: it stays a look-up by index however many there are.)
-- $1 the last id of the chunk before, $2 how many
SELECT id, owner_user_id, kind, code, asset, status, unbounded, balance, version, lifetime, micros(created_at), micros(updated_at),
    CASE WHEN a.member_id IS NOT NULL THEN (SELECT m.member_id FROM reward_members m WHERE m.id = a.member_id) END
FROM account a WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint
