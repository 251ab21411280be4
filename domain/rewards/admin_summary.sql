-- REW-11, from the running sums. Each member has one balance ("rewards").
-- $1 caller (unused)
-- One row: the reply.
SELECT json_build_object(
    'users', users, 'rewards', users, 'transactions', earnings, 'redemptions', redemptions, 'totalPointsEarned', earned,
    'totalPointsRedeemed', redeemed, 'totalPointsOutstanding', earned - redeemed)
FROM (
    SELECT coalesce(sum(count) FILTER (WHERE kind = 'member'), 0) AS users,
        coalesce(sum(count) FILTER (WHERE kind = 'earn'), 0) AS earnings,
        coalesce(sum(count) FILTER (WHERE kind = 'redeem'), 0) AS redemptions,
        coalesce(sum(points) FILTER (WHERE kind = 'earn'), 0) AS earned,
        coalesce(sum(points) FILTER (WHERE kind = 'redeem'), 0) AS redeemed
    FROM reward_sums) AS total
