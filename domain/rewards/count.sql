-- The running counts and sums, attached to postings: two updates and no new row, however many postings the batch has. The members'
-- rows need no order of their own, since their accounts are locked by now; the sums' rows are taken in the order of their key.
-- $1 the postings' ids, $2 accounts, $3 "earn" or "redeem", $4 categories and reward types, $5 points: arrays of one length
WITH asked AS MATERIALIZED (
    SELECT account::bigint AS account, kind::reward_sum AS kind, name, points::bigint AS points, reward_shard(posting) AS shard
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS a (posting, account, kind, name, points)
), counted AS (
    UPDATE reward_counts c SET earnings = c.earnings + n.earnings, redemptions = c.redemptions + n.redemptions
    FROM (SELECT account, count(*) FILTER (WHERE kind = 'earn') AS earnings, count(*) FILTER (WHERE kind = 'redeem') AS redemptions
          FROM asked GROUP BY account) AS n
    WHERE c.account = n.account
)
INSERT INTO reward_sums AS s (kind, name, shard, points, count)
SELECT kind, name, shard, sum(points), count(*) FROM asked GROUP BY kind, name, shard ORDER BY kind, name COLLATE "C", shard
ON CONFLICT (kind, name, shard) DO UPDATE SET points = s.points + excluded.points, count = s.count + excluded.count
