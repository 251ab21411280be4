-- Counts a use of a voucher while one is left: the guard of a redemption, decided under the voucher's lock.
-- $1 voucher, $2 user
-- One row: nothing of interest. No row: it is used up, over, or the user has had it.
UPDATE vouchers v SET used_count = used_count + 1
WHERE v.id = $1::bigint AND (v.valid_until IS NULL OR v.valid_until >= now())
    AND v.used_count < coalesce(v.usage_limit, CASE v.kind WHEN 'discount' THEN 1 ELSE 2147483647 END)
    AND NOT EXISTS (SELECT FROM voucher_redemptions r WHERE r.voucher_id = v.id AND r.user_id = $2::bigint AND r.sale_id IS NULL)
RETURNING 1
