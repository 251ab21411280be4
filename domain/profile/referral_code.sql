-- USR-15: the caller's referral code.
-- $1 caller
-- One row: the reply.
SELECT json_build_object('referral_code', referral_code) FROM users WHERE id = $1::bigint
