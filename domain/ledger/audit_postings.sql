-- Every posting has its first transfer, which alone carries the idempotency key, and its legs are neighbours.
-- Row: how many transfers are wrong; figures.
SELECT count(*) FILTER (WHERE f.id IS NULL OR f.posting <> f.id OR t.id < f.id OR t.id >= f.id + 8
                            OR (t.id = f.id) <> (t.idem IS NOT NULL)),
    format('%s postings', count(*) FILTER (WHERE t.id = t.posting))
FROM transfer AS t LEFT JOIN transfer AS f ON f.id = t.posting
