-- REW-09: what all members earned, newest first.
-- $1 caller (unused), $2 page from 1, $3 rows a page
-- One row: the reply.
WITH caller AS (SELECT $1::bigint), page AS (
    SELECT * FROM transfer WHERE kind = 'rewards.earn'
    ORDER BY created_at DESC, id DESC OFFSET ($2::bigint - 1) * $3::bigint LIMIT $3::bigint
)
SELECT json_build_object(
    'transactions', coalesce((
        SELECT json_agg(json_build_object(
            'id', pid('t', id),
            'userId', (SELECT m.member_id FROM account a JOIN reward_members m ON m.id = a.member_id WHERE a.id = page.credit),
            'amount', amount_of(coalesce((metadata ->> 'amount')::bigint, 0)), 'category', metadata ->> 'category',
            'pointsEarned', amount, 'timestamp', iso(created_at)) ORDER BY created_at DESC, id DESC)
        FROM page), '[]'),
    'total', (SELECT coalesce(sum(count), 0) FROM reward_sums WHERE kind = 'earn'))
