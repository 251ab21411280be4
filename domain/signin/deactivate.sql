-- USR-11: disables the caller and keeps why; what every process is told ends his tokens and sockets.
-- $1 caller, $2 reason
-- One row: the reply, no refusal, what was told. No row: he was disabled before.
WITH disabled AS (
    UPDATE users SET status = 'disabled', tokens_from = clock_timestamp(), updated_at = now()
    WHERE id = $1::bigint AND status = 'active' RETURNING *
), reason AS (
    INSERT INTO deactivate_reasons (user_id, reason) SELECT id, $2::text FROM disabled
), told AS MATERIALIZED (
    SELECT user_message(d::users) AS message, tell(user_message(d::users)) FROM disabled d
)
SELECT json_build_object('status', true, 'message', 'Account deactivated'), NULL::text, jsonb_build_array(message) FROM told
