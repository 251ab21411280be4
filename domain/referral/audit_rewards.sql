-- Every completed referral that earned points has the posting that paid them to the referrer, and no posting paid two.
-- Row: how many are wrong; figures.
SELECT count(*) FILTER (WHERE (r.points_earned > 0) <> (t.id IS NOT NULL) OR t.amount <> r.points_earned
                            OR t.kind <> 'points.referral' OR a.owner_user_id <> r.referrer_id OR r.times > 1),
    format('%s referrals', count(*))
FROM (SELECT *, count(*) OVER (PARTITION BY posting) * (posting IS NOT NULL)::int AS times FROM referrals WHERE status = 'completed') AS r
LEFT JOIN transfer t ON t.id = r.posting
LEFT JOIN account a ON a.id = t.credit
