-- After crowd_round.sql: the accounts, counts, sums and boards as the postings would have left them.
-- Variables: rounds
UPDATE account SET version = :rounds, lifetime = 100 * (:rounds - :rounds / 5), balance = 100 * (:rounds - :rounds / 5) - 50 * (:rounds / 5)
WHERE kind = 'reward_points';
INSERT INTO reward_counts (account, earnings, redemptions)
SELECT id, :rounds - :rounds / 5, :rounds / 5 FROM account WHERE kind = 'reward_points';
INSERT INTO reward_sums (kind, name, shard, points, count)
SELECT CASE kind WHEN 'rewards.earn' THEN 'earn' ELSE 'redeem' END::reward_sum,
    coalesce(metadata ->> 'category', metadata ->> 'rewardType'),
    reward_shard(posting), sum(amount), count(*)
FROM transfer WHERE kind IN ('rewards.earn', 'rewards.redeem') GROUP BY 1, 2, 3;
ANALYZE transfer, referrals, account;   -- else the rebuilding joins half a million with half a million one by one
SELECT referral_rebuild() \g /dev/null
SELECT setval('transfer_id', 1 + 4096 * (1 + max(id) / 4096), false) FROM transfer \g /dev/null
VACUUM (ANALYZE) users, account, transfer, referrals, referral_totals, referral_scores, reward_members, reward_counts, reward_sums;
