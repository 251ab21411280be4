-- USR-39: forgets a device of the caller.
-- $1 caller, $2 token
-- One row: the reply. No row: none of the caller's.
WITH removed AS (
    DELETE FROM fcm_tokens WHERE md5(token) = md5($2::text) AND token = $2::text AND user_id = $1::bigint RETURNING 1
)
SELECT json_build_object('status', true, 'message', 'Token removed') FROM removed
