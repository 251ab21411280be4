-- USR-06: uses the link up and sets the password; every token and every other link of the user ends.
-- $1 hash of the token, $2 password hash
-- One row: the user's message. No row: as in reset_look.
WITH used AS MATERIALIZED (
    UPDATE one_time_tokens t SET used_at = now()
    FROM users u
    WHERE t.token_hash = $1::bytea AND t.kind = 'RESET_PWD' AND t.used_at IS NULL AND t.expires_at > now()
        AND u.id = t.user_id AND u.email = t.email AND u.status = 'active'
    RETURNING t.user_id
), changed AS MATERIALIZED (
    SELECT set_password(user_id, $2::text, NULL) AS person FROM used
)
SELECT user_message(person) FROM changed
