-- USR-30: who, and which voucher. A discount code belongs to somebody; to others it does not exist.
-- $1 unused, $2 username, $3 code
-- One row: user, username, wallet, voucher or NULL, amount, code, whether the user has had it, whether it is used up, whether it is over.
-- No row: there is no such user.
SELECT u.id, u.username, w.id, v.id, v.amount, v.code,
    EXISTS (SELECT FROM voucher_redemptions r WHERE r.voucher_id = v.id AND r.user_id = u.id AND r.sale_id IS NULL),
    v.used_count >= coalesce(v.usage_limit, CASE v.kind WHEN 'discount' THEN 1 ELSE 2147483647 END), coalesce(v.valid_until < now(), false)
FROM users u
LEFT JOIN account w ON w.owner_user_id = u.id AND w.kind = 'wallet'
LEFT JOIN vouchers v ON upper(v.code) = upper($3::text) AND (v.owner_user_id IS NULL OR v.owner_user_id = u.id)
WHERE lower(u.username) = lower($2::text) AND u.status = 'active' AND $1::bigint IS NULL
