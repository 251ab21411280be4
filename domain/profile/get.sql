-- USR-12: the caller's profile.
-- $1 caller
-- One row: the reply.
SELECT json_build_object(
    'username', u.username, 'full_name', user_name(u), 'email', u.email, 'phone_number', u.phone, 'profile_img', u.avatar_url,
    'referral_code', u.referral_code,
    'balance', coalesce((SELECT amount_of(balance) FROM account WHERE owner_user_id = u.id AND kind = 'wallet'), 0),
    'points', coalesce((SELECT balance FROM account WHERE owner_user_id = u.id AND kind = 'points'), 0))
FROM users u WHERE u.id = $1::bigint
