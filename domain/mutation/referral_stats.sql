-- USR-37: the numbers of USR-36.
-- $1 caller
-- One row: the reply.
SELECT json_build_object('total_referrals', r.total + p.waiting, 'completed_referrals', r.completed,
                         'pending_referrals', r.total - r.completed + p.waiting, 'total_earned_points', r.points)
FROM (SELECT count(*) AS total, count(*) FILTER (WHERE status = 'completed') AS completed, coalesce(sum(points_earned), 0) AS points
      FROM referrals WHERE referrer_id = $1::bigint) r
CROSS JOIN (SELECT count(*) AS waiting FROM pending_signups p JOIN users me ON me.referral_code = p.referral_code
            WHERE me.id = $1::bigint AND p.expires_at > now()) p
