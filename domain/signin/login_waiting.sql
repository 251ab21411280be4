-- USR-01, the password of a sign-up that waits matched: whether the attempt is still free, as login_done looks at it again.
-- $1 name, $2 address of the client, $3 whether failures are limited
-- One row: seconds to wait.
SELECT CASE WHEN $3::boolean THEN
           greatest(attempt_wait('login', lower($1::text) || ' ' || $2::text, 10, interval '15 minutes'),
                    attempt_wait('login-address', $2::text, 30, interval '15 minutes')) ELSE 0 END
