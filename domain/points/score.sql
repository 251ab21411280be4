-- Points of type referral that a service has given, for the referrers' board.
-- $1 the postings' ids (unused), $2 users, $3 points: arrays of one length
-- One row.
SELECT referral_score($2::text[]::bigint[], array_fill(0::bigint, ARRAY[cardinality($1::bigint[])]), $3::text[]::bigint[])
