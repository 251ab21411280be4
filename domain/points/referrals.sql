-- POINTS-03: whom the caller has brought, newest first; of more than ten thousand the newest.
-- $1 caller
-- One row: the reply.
SELECT json_build_object('success', true, 'data', json_build_object('referrals', coalesce((
    SELECT json_agg(json_build_object(
        'userId', CASE WHEN status = 'completed' THEN pid('u', referred_user_id) END, 'name', name, 'joinedAt', iso(created_at),
        'pointsEarned', points_earned, 'status', status) ORDER BY created_at DESC, id DESC)
    FROM (SELECT r.*, coalesce(user_name(u), r.referred_name) AS name
          FROM referrals r LEFT JOIN users u ON u.id = r.referred_user_id
          WHERE r.referrer_id = $1::bigint ORDER BY r.created_at DESC, r.id DESC LIMIT 10000) AS newest), '[]')))
