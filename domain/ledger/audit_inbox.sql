-- Every user's inbox is numbered from 1 without gap, up to the number that the user's row tells.
-- Row: how many are not; figures.
WITH box AS (
    SELECT user_id, count(*) AS n, min(seq) AS first, max(seq) AS last FROM inbox GROUP BY user_id
)
SELECT count(*) FILTER (WHERE u.id IS NULL OR u.inbox_seq <> coalesce(b.last, 0) OR b.n <> b.last OR b.first <> 1),
    format('%s inboxes, %s events', count(b.user_id), coalesce(sum(b.n), 0))
FROM users AS u FULL JOIN box AS b ON b.user_id = u.id
