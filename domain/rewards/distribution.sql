-- REW-07, from the running sums: it costs what the categories and reward types are, whatever was earned by whomever.
-- $1 caller (unused)
-- One row: the reply.
WITH sums AS MATERIALIZED (
    SELECT kind, name, sum(points) AS points, sum(count) AS count,
        row_number() OVER (PARTITION BY kind ORDER BY sum(points) DESC, name) AS place
    FROM reward_sums GROUP BY kind, name
), total AS (
    SELECT coalesce(sum(count) FILTER (WHERE kind = 'member'), 0) AS users,
        coalesce(sum(points) FILTER (WHERE kind = 'earn'), 0) AS earned,
        coalesce(sum(points) FILTER (WHERE kind = 'redeem'), 0) AS redeemed
    FROM sums
)
SELECT json_build_object(
    'totalUsers', users, 'totalPointsEarned', earned, 'totalPointsRedeemed', redeemed, 'totalPointsOutstanding', earned - redeemed,
    'averagePointsPerUser', coalesce(trim_scale(round((earned - redeemed) / nullif(users, 0), 2)), 0),
    'byCategory', coalesce((
        SELECT json_agg(json_build_object('category', name, 'totalPoints', points, 'transactions', count,
                                          'percentage', trim_scale(round(100 * points / earned, 2))) ORDER BY place)
        FROM sums WHERE kind = 'earn' AND place <= 1000), '[]'),
    'byRewardType', coalesce((
        SELECT json_agg(json_build_object('rewardType', name, 'totalPoints', points, 'redemptions', count,
                                          'percentage', trim_scale(round(100 * points / redeemed, 2))) ORDER BY place)
        FROM sums WHERE kind = 'redeem' AND place <= 1000), '[]'))
FROM total
