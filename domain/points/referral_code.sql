-- POINTS-07: the caller's code; a new one in place of it when he asks for that, or has none. Every process knows at once.
-- $1 caller, $2 whether it is to be a new one
-- One row: the code, the user's message when it has changed, else NULL.
WITH changed AS (
    UPDATE users SET referral_code = new_referral_code(), updated_at = now()
    WHERE id = $1::bigint AND ($2::boolean OR referral_code IS NULL)
    RETURNING *
), told AS MATERIALIZED (
    SELECT c.referral_code, user_message(c::users) AS message, tell(user_message(c::users)) FROM changed c
)
SELECT coalesce(t.referral_code, u.referral_code), t.message FROM users u LEFT JOIN told t ON true WHERE u.id = $1::bigint
