-- REW-08: all members, oldest first.
-- $1 caller (unused), $2 page from 1, $3 rows a page
-- One row: the reply.
WITH caller AS (SELECT $1::bigint), page AS (
    SELECT * FROM reward_members ORDER BY id OFFSET ($2::bigint - 1) * $3::bigint LIMIT $3::bigint
)
SELECT json_build_object(
    'users', coalesce((
        SELECT json_agg(json_build_object('id', member_id, 'name', name, 'email', email, 'createdAt', iso(created_at),
                                          'points', (SELECT balance FROM account a WHERE a.member_id = page.id)) ORDER BY id)
        FROM page), '[]'),
    'total', (SELECT coalesce(sum(count), 0) FROM reward_sums WHERE kind = 'member'))
