-- USR-73: proves the number that the newest code was sent to.
-- $1 user, $2 hash of the code
-- One row: NULL, or why not; whether a referral is due now (prove_phone).
SELECT why_not, due FROM prove_phone($1::bigint, $2::bytea)
