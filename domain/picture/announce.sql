-- A picture is about to be stored: when no row names it by then, it is removed. Ten minutes are more than any upload is given.
-- $1 its key
-- No row.
INSERT INTO picture_removals (key, next_try_at) VALUES ($1::text, now() + interval '10 minutes')
