-- USR-64: the caller's payouts, newest first.
-- $1 caller
-- One row: an array of Payout.
SELECT coalesce(json_agg(payout_json(newest::payouts) ORDER BY newest.id DESC), '[]')
FROM (SELECT * FROM payouts WHERE user_id = $1::bigint ORDER BY id DESC LIMIT 1000) AS newest
