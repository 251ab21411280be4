-- A payout as its owner sees it.
-- $1 its posting
-- One row: Payout.
SELECT payout_json(p) FROM payouts p WHERE posting = $1::bigint
