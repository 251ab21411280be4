-- Frames that clients have read, against the commits that caused them. Before it, two temporary tables are filled:
-- frame (stream, seq, at_us) and stream (stream, account): public ids of accounts and what they stand for.
-- One row: frames, those whose transfer was found, median and 99th percentile of the microseconds between.
CREATE INDEX ON stream (stream);
ANALYZE frame, stream;
WITH wait AS (
    SELECT f.at_us - micros(pg_xact_commit_timestamp(coalesce(d.xmin, c.xmin))) AS us
    FROM frame f JOIN stream s USING (stream)
        LEFT JOIN transfer d ON d.debit = s.account AND d.debit_version = f.seq
        LEFT JOIN transfer c ON c.credit = s.account AND c.credit_version = f.seq
)
SELECT (SELECT count(*) FROM frame), count(us), percentile_disc(0.5) WITHIN GROUP (ORDER BY us),
    percentile_disc(0.99) WITHIN GROUP (ORDER BY us)
FROM wait;
