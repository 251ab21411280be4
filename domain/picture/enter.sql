-- USR-14: the caller's new picture.
-- $1 caller, $2 its address, $3 its key
-- One row: the former one's key, or NULL. Of two at the same moment the second finds the first's.
WITH former AS MATERIALIZED (
    SELECT id, avatar_key FROM users WHERE id = $1::bigint FOR NO KEY UPDATE
), changed AS (
    UPDATE users u SET avatar_url = $2::text, avatar_key = $3::text, updated_at = now() FROM former f WHERE u.id = f.id
)
SELECT avatar_key FROM former
