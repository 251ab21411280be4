-- USR-02, before the password is hashed: counts the sign-up and looks at what would refuse it.
-- $1 address of the client, $2 whether sign-ups are limited, $3 e-mail, $4 username, $5 phone or NULL, $6 referral code or NULL, $7 mode
-- One row: seconds to wait (0: go on), seconds until a code or link may be sent again, what is taken (signup_conflict) or NULL, whether
-- the code is somebody's (true without a code).
SELECT CASE WHEN $2::boolean THEN attempt_count('register', $1::text, 20, interval '1 hour') ELSE 0 END,
    CASE WHEN $2::boolean THEN
        greatest(attempt_wait('proof', $3::text, 5, interval '1 hour'),
                 CASE WHEN $7::text = 'OTP' THEN attempt_wait('proof', $5::text, 5, interval '1 hour') ELSE 0 END) ELSE 0 END,
    signup_conflict($3::text, $4::text, $5::text, $7::text::signup_mode),
    $6::text IS NULL OR EXISTS (SELECT FROM users WHERE referral_code = upper($6::text) AND status = 'active')
