-- A redemption as it was made.
-- $1 posting
-- One row: credit in cents, currency, code or NULL.
SELECT r.credit_amount, r.currency, v.code
FROM point_redemptions r LEFT JOIN vouchers v ON v.id = r.voucher_id WHERE r.posting = $1::bigint
