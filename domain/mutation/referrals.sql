-- USR-36: who came by the caller's code, newest first; sign-ups that wait for their proof are pending, too.
-- $1 caller
-- One row: the reply.
WITH came AS (
    SELECT u.username, r.code_used AS code, r.status, r.created_at
    FROM referrals r JOIN users u ON u.id = r.referred_user_id WHERE r.referrer_id = $1::bigint
    UNION ALL
    SELECT p.username, p.referral_code, 'pending', p.created_at
    FROM pending_signups p JOIN users me ON me.referral_code = p.referral_code
    WHERE me.id = $1::bigint AND p.expires_at > now()
)
SELECT coalesce(json_agg(json_build_object('username', username, 'referral_code', code, 'status', status, 'created_at', iso(created_at))
                         ORDER BY created_at DESC), '[]')
FROM came
