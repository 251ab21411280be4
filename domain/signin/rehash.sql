-- Replaces a weaker hash of the same password, unless it has changed meanwhile.
-- $1 user, $2 the hash that matched, $3 the new one
UPDATE user_credentials SET password_hash = $3::text WHERE user_id = $1::bigint AND password_hash = $2::text
