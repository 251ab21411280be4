-- BANK-01, before the password is hashed: counts the registration and looks at what would refuse it.
-- $1 address of the client, $2 whether registrations are limited, $3 e-mail, $4 referral code or NULL
-- One row: seconds to wait (0: go on), whether the e-mail is taken, whether the code is somebody's (true without a code).
SELECT CASE WHEN $2::boolean THEN attempt_count('register', $1::text, 20, interval '1 hour') ELSE 0 END,
    EXISTS (SELECT FROM users WHERE email = $3::text),
    $4::text IS NULL OR EXISTS (SELECT FROM users WHERE referral_code = upper($4::text) AND status = 'active')
