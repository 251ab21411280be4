-- The devices of a user by name, the newest hundred.
-- $1 username
-- One row each: token; one with NULL when there are none. No row: there is no such user.
SELECT t.token FROM users u
LEFT JOIN LATERAL (SELECT token FROM fcm_tokens WHERE user_id = u.id ORDER BY updated_at DESC LIMIT 100) AS t ON true
WHERE lower(u.username) = lower($1::text) AND u.status = 'active'
