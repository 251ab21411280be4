-- BANK-02: whether an attempt is free, and what the password is compared with.
-- $1 e-mail, $2 address of the client, $3 whether failures are limited
-- One row: seconds to wait (0: go on), user, hash; the latter two NULL for an unknown address and an account without password.
SELECT w.wait, u.id, u.password_hash
FROM (SELECT CASE WHEN $3::boolean THEN
                 greatest(attempt_wait('login', $1::text || ' ' || $2::text, 10, interval '15 minutes'),
                          attempt_wait('login-address', $2::text, 30, interval '15 minutes')) ELSE 0 END AS wait) w
LEFT JOIN (SELECT users.id, users.email, c.password_hash FROM users JOIN user_credentials c ON c.user_id = users.id) u
    ON u.email = $1::text
