-- Redemptions, attached to the postings that credit them; the unique index lets each user have a voucher once.
-- $1 the postings' ids, $2 vouchers, $3 users, $4 amounts: arrays of one length
-- No rows.
INSERT INTO voucher_redemptions (posting, voucher_id, user_id, amount)
SELECT posting, voucher::bigint, owner::bigint, amount::bigint
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS n (posting, voucher, owner, amount)
