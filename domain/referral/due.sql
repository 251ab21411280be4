-- Rewards that are owed, oldest first.
-- $1 the referred person, or NULL for all, $2 owed for at least so many seconds, $3 how many at most
-- Rows: referral, referrer, his points account (NULL: closed, he has been erased), referred person, his name, the referrer's message,
-- the account's.
SELECT r.id, r.referrer_id, a.id, r.referred_user_id, user_name(u), user_message(o),
    CASE WHEN a.id IS NOT NULL THEN account_message(a) END
FROM referrals r JOIN users u ON u.id = r.referred_user_id JOIN users o ON o.id = r.referrer_id
LEFT JOIN account a ON a.owner_user_id = o.id AND a.kind = 'points' AND a.status = 'active'
WHERE r.status = 'pending' AND r.due_at <= now() - $2::bigint * interval '1 second'
    AND ($1::bigint IS NULL OR r.referred_user_id = $1::bigint)
ORDER BY r.due_at LIMIT $3::bigint
