-- Every member has exactly one account and every such account its member; and the counts and sums that are kept beside the transfers are
-- what the transfers say.
-- Row: how many are wrong; figures.
WITH moved AS (
    SELECT CASE kind WHEN 'rewards.earn' THEN 'earn' ELSE 'redeem' END::reward_sum AS kind,
        coalesce(metadata ->> CASE kind WHEN 'rewards.earn' THEN 'category' ELSE 'rewardType' END, '') AS name,
        CASE kind WHEN 'rewards.earn' THEN credit ELSE debit END AS account, amount
    FROM transfer WHERE kind IN ('rewards.earn', 'rewards.redeem')
), real AS (
    SELECT kind, name, sum(amount) AS points, count(*) AS count FROM moved GROUP BY kind, name
    UNION ALL
    SELECT 'member', '', 0, count(*) FROM reward_members HAVING count(*) > 0
), kept AS (
    SELECT kind, name, sum(points) AS points, sum(count) AS count FROM reward_sums GROUP BY kind, name
), of_account AS (
    SELECT account, count(*) FILTER (WHERE kind = 'earn') AS earnings, count(*) FILTER (WHERE kind = 'redeem') AS redemptions
    FROM moved GROUP BY account
), members AS (
    SELECT * FROM account WHERE member_id IS NOT NULL OR kind = 'reward_points'
)
SELECT (SELECT count(*) FROM real r FULL JOIN kept k ON k.kind = r.kind AND k.name = r.name
        WHERE r.points IS DISTINCT FROM k.points OR r.count IS DISTINCT FROM k.count)
    + (SELECT count(*) FROM members a FULL JOIN reward_members m ON m.id = a.member_id
       WHERE a.id IS NULL OR m.id IS NULL OR a.kind <> 'reward_points' OR a.asset <> 'RWD' OR a.unbounded OR a.owner_user_id IS NOT NULL)
    + (SELECT count(*) FROM members a FULL JOIN reward_counts c ON c.account = a.id
           LEFT JOIN of_account o ON o.account = coalesce(a.id, c.account)
       WHERE a.id IS NULL OR c.account IS NULL OR c.earnings <> coalesce(o.earnings, 0) OR c.redemptions <> coalesce(o.redemptions, 0)),
    format('%s members, %s earnings and redemptions', (SELECT count(*) FROM reward_members), (SELECT count(*) FROM moved))
