-- USR-31: whether the caller has redeemed a voucher; an unknown one he has not.
-- $1 caller, $2 code
-- One row: {voucher_code, redeemed, redeemed_at}.
SELECT json_build_object('voucher_code', $2::text, 'redeemed', count(*) > 0, 'redeemed_at', iso(max(r.created_at)))
FROM vouchers v JOIN voucher_redemptions r ON r.voucher_id = v.id AND r.user_id = $1::bigint
WHERE upper(v.code) = upper($2::text)
