-- USR-38: the caller's device, whoever had it before; of a user the 20 newest are kept.
-- $1 caller, $2 token, $3 type
-- One row: the reply.
WITH registered AS (
    INSERT INTO fcm_tokens (user_id, token, device_type) VALUES ($1::bigint, $2::text, $3::text)
    ON CONFLICT (md5(token)) DO UPDATE SET user_id = excluded.user_id, device_type = excluded.device_type, updated_at = now()
), forgotten AS (
    DELETE FROM fcm_tokens WHERE id IN (
        SELECT id FROM fcm_tokens WHERE user_id = $1::bigint AND token <> $2::text ORDER BY updated_at DESC, id DESC OFFSET 19)
)
SELECT json_build_object('status', true, 'message', 'Token registered')
