-- USR-14: the caller's new picture, if its removal has not begun; then the former one is to go.
-- $1 caller, $2 its address, $3 its key
-- One row: whether it is entered. When it is not (its upload took longer than it may have), it is to go itself.
-- Of two at the same moment the second finds the first's.
WITH former AS MATERIALIZED (
    SELECT id, avatar_key FROM users WHERE id = $1::bigint FOR NO KEY UPDATE
), kept AS (
    DELETE FROM picture_removals WHERE key = $3::text AND attempts = 0 AND EXISTS (SELECT FROM former) RETURNING 1
), changed AS (
    UPDATE users u SET avatar_url = $2::text, avatar_key = $3::text, updated_at = now()
    FROM former f WHERE u.id = f.id AND EXISTS (SELECT FROM kept)
), dropped AS (
    INSERT INTO picture_removals (key)
    SELECT CASE WHEN EXISTS (SELECT FROM kept) THEN avatar_key ELSE $3::text END FROM former
    WHERE avatar_key IS NOT NULL OR NOT EXISTS (SELECT FROM kept)
)
SELECT EXISTS (SELECT FROM kept) FROM former
