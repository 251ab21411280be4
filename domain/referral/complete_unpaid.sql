-- Completes a referral for which nothing is paid, because referrals earn nothing here or the referrer has been erased.
-- $1 the referral
-- One row.
SELECT referral_complete(ARRAY[NULL::bigint], ARRAY[$1::bigint], ARRAY[0::bigint])
