-- A chunk of the users, as the book keeps them.
-- $1 the last id of the chunk before, $2 how many
SELECT id, username, user_name(u), email, is_admin, is_system, agent, status = 'active', micros(tokens_from), inbox_seq,
    referral_code, (SELECT count(*) FROM referrals r WHERE r.referrer_id = u.id),
    version
FROM users u WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint
