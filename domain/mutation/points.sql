-- USR-34: the transfers of the caller's points account, newest first. The account's version counts them, so a page is a range of it.
-- $1 caller, $2 page from 1, $3 rows a page
-- One row: the reply.
WITH mine AS (
    SELECT id, version - ($2::bigint - 1) * $3::bigint AS newest, version - $2::bigint * $3::bigint AS before
    FROM account WHERE owner_user_id = $1::bigint AND kind = 'points'
), page AS (
    SELECT t.id, 'CREDIT' AS type, t.amount, t.memo, t.kind, t.created_at, t.credit_version AS version
    FROM mine m JOIN transfer t ON t.credit = m.id AND t.credit_version > m.before AND t.credit_version <= m.newest
    UNION ALL
    SELECT t.id, 'DEBIT', t.amount, t.memo, t.kind, t.created_at, t.debit_version
    FROM mine m JOIN transfer t ON t.debit = m.id AND t.debit_version > m.before AND t.debit_version <= m.newest
)
SELECT coalesce(json_agg(json_build_object(
    'id', id, 'type', type, 'amount', amount,
    'description', coalesce(memo, CASE kind WHEN 'points.referral' THEN 'Referral bonus' WHEN 'points.redeem' THEN 'Points redeemed'
                                            WHEN 'points.purchase' THEN 'Purchase' WHEN 'points.purchase_return' THEN 'Purchase taken back'
                                            WHEN 'points.review' THEN 'Review' WHEN 'points.earn' THEN 'Points earned'
                                            WHEN 'points.admin_deduct' THEN 'Points deducted' ELSE 'Points granted' END),
    'created_at', iso(created_at)) ORDER BY version DESC), '[]')
FROM page
