-- The push service says that a device is gone.
-- $1 token
-- No rows.
DELETE FROM fcm_tokens WHERE md5(token) = md5($1::text) AND token = $1::text
