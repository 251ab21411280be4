-- USR-42: a new offer. The last microsecond of a day, which a date alone stands for, is shown as
-- its last second.
-- $1 NULL (a key is nobody), $2 title, $3 description, $4 image or NULL, $5 valid until, in microseconds since 1970
-- $6 whether it is active, $7 username or NULL for everybody
-- One row: the reply, or the refusal when the user is unknown.
WITH wanted AS (
    SELECT (SELECT id FROM users WHERE lower(username) = lower($7::text) AND status <> 'deleted') AS user_id,
        CASE WHEN $5::bigint % 86400000000 = 86399999999 THEN $5::bigint - 999999 ELSE $5::bigint END AS until
), added AS (
    INSERT INTO marketing_offers (user_id, title, description, image_url, valid_until, is_active)
    SELECT user_id, $2::text, $3::text, $4::text, 'epoch'::timestamptz + until * interval '1 microsecond', $6::boolean
    FROM wanted WHERE $1::bigint IS NULL AND ($7::text IS NULL OR user_id IS NOT NULL)
    RETURNING *
)
SELECT (SELECT json_build_object('status', true, 'message', 'Marketing offer created', 'data', offer_json(a::marketing_offers))
        FROM added a),
    CASE WHEN NOT EXISTS (SELECT FROM added) THEN '500 Account does not exist' END
