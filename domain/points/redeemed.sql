-- What redemptions leave behind: the vouchers of those that ask for a code, and a row each. The indexes decide that a code is new
-- (vouchers_code) and that a purchase is redeemed for once (point_redemptions_purchase).
-- $1 the postings' ids, $2 users, $3 points, $4 purposes, $5 credits in cents, $6 currencies, $7 purchases or NULL, $8 codes or NULL:
-- arrays of one length
-- No rows.
WITH asked AS MATERIALIZED (
    SELECT a.*, CASE WHEN code IS NOT NULL THEN nextval('voucher_id') END AS voucher_id
    FROM unnest($1::bigint[], $2::text[]::bigint[], $3::text[]::bigint[], $4::text[], $5::text[]::bigint[], $6::text[], $7::text[],
                $8::text[]) AS a (posting, user_id, points, purpose, credit, currency, purchase, code)
), made AS (
    INSERT INTO vouchers (id, code, kind, owner_user_id, amount, usage_limit)
    SELECT voucher_id, code, 'discount', user_id, credit, 1 FROM asked WHERE code IS NOT NULL
)
INSERT INTO point_redemptions (posting, user_id, points, purpose, credit_amount, currency, voucher_id, purchase_request_id)
SELECT posting, user_id, points, purpose, credit, currency, voucher_id, purchase FROM asked
