-- Every posting that redeems points has its redemption, with its voucher when it was for a code, or its credit when it was for the wallet.
-- Row: how many are wrong; figures.
SELECT count(*) FILTER (WHERE r.posting IS NULL OR t.id IS NULL OR r.points <> t.amount OR a.owner_user_id IS DISTINCT FROM r.user_id
                            OR (r.purpose = 'discount_code' AND (v.id IS NULL OR v.amount <> r.credit_amount OR c.id IS NOT NULL))
                            OR (r.purpose = 'wallet_credit' AND (v.id IS NOT NULL OR c.amount IS DISTINCT FROM r.credit_amount))),
    format('%s redemptions', count(*))
FROM (SELECT * FROM transfer WHERE kind = 'points.redeem' AND id = posting) AS t
FULL JOIN point_redemptions r ON r.posting = t.posting
LEFT JOIN account a ON a.id = t.debit
LEFT JOIN transfer c ON c.posting = t.posting AND c.id = t.id + 1
LEFT JOIN vouchers v ON v.id = r.voucher_id
