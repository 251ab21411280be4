-- USR-65: a payout of the caller's.
-- $1 caller, $2 payout_id
-- One row: Payout. No row: it is none of his.
SELECT payout_json(p) FROM payouts p WHERE user_id = $1::bigint AND payout_id = $2::text
