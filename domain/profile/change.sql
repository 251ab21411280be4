-- USR-13: changes the caller's name or number; another number has not been proved.
-- $1 caller, $2 first name or NULL, $3 last name or NULL, $4 number or NULL
-- One row: what was told. The index users_phone_key refuses a number that another has.
WITH changed AS (
    UPDATE users SET first_name = coalesce($2::text, first_name), last_name = coalesce($3::text, last_name),
        phone_verified_at = CASE WHEN $4::text IS NULL OR phone = $4::text THEN phone_verified_at END,
        phone = coalesce($4::text, phone), updated_at = now()
    WHERE id = $1::bigint RETURNING *
), told AS MATERIALIZED (
    SELECT user_message(c::users) AS message, tell(user_message(c::users)) FROM changed c
)
SELECT jsonb_agg(message) FROM told
