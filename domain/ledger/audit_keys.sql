-- No idempotency key was used twice, in whichever generations.
-- Row: how many were; figures.
SELECT count(*) FILTER (WHERE n > 1), format('%s keys', count(*))
FROM (SELECT count(*) AS n FROM transfer WHERE idem IS NOT NULL GROUP BY substr(uuid_send(idem), 4)) AS k
