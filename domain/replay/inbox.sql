-- A user's inbox between two of its numbers, in order.
-- $1 user, $2 first number, $3 last number
SELECT seq, type, data, micros(created_at)
FROM inbox WHERE user_id = $1::bigint AND seq BETWEEN $2::bigint AND $3::bigint ORDER BY seq
