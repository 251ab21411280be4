-- REW-10: what all members redeemed, newest first.
-- $1 caller (unused), $2 page from 1, $3 rows a page
-- One row: the reply.
WITH caller AS (SELECT $1::bigint), page AS (
    SELECT * FROM transfer WHERE kind = 'rewards.redeem'
    ORDER BY created_at DESC, id DESC OFFSET ($2::bigint - 1) * $3::bigint LIMIT $3::bigint
)
SELECT json_build_object(
    'redemptions', coalesce((
        SELECT json_agg(json_build_object(
            'id', pid('t', id),
            'userId', (SELECT m.member_id FROM account a JOIN reward_members m ON m.id = a.member_id WHERE a.id = page.debit),
            'rewardType', metadata ->> 'rewardType', 'pointsRedeemed', amount, 'timestamp', iso(created_at))
            ORDER BY created_at DESC, id DESC)
        FROM page), '[]'),
    'total', (SELECT coalesce(sum(count), 0) FROM reward_sums WHERE kind = 'redeem'))
