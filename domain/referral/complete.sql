-- Completes referrals with the postings that reward them.
-- $1 the postings' ids, $2 referrals, $3 points: arrays of one length
-- One row.
SELECT referral_complete($1::bigint[], $2::text[]::bigint[], $3::text[]::bigint[])
