-- POINTS-02 with filters. What they look at, and the order, stand in the indexes transfer_points_credit and _debit, so that only
-- the page's own rows are visited. The total comes from the account's tally (migrations/0006_spine.sql), less what lies outside of
-- the time; when that is much, what lies inside is counted.
-- $1 caller, $2 page from 1, $3 rows a page, $4 type or NULL, $5 from, $6 to, microseconds since 1970 or NULL, both included
-- One row: the reply.
WITH mine AS MATERIALIZED (
    SELECT id FROM account WHERE owner_user_id = $1::bigint AND kind = 'points'
), asked AS MATERIALIZED (
    -- A reply shows milliseconds: up to one of them means to its end.
    SELECT coalesce('epoch'::timestamptz + $5::bigint * interval '1 microsecond', '-infinity') AS since,
        coalesce('epoch'::timestamptz + ($6::bigint + CASE WHEN $6::bigint % 1000 = 0 THEN 999 ELSE 0 END) * interval '1 microsecond',
                 'infinity') AS until,
        CASE $4::text WHEN 'purchase' THEN ARRAY['points.purchase', 'points.purchase_return'] ELSE ARRAY['points.' || $4::text] END AS kinds
), found AS (
    SELECT side.* FROM mine, asked, LATERAL (
        (SELECT created_at, credit_version AS version, true AS came FROM transfer
         WHERE credit = mine.id AND kind LIKE 'points.%' AND credit_version IS NOT NULL
           AND created_at BETWEEN since AND until AND ($4::text IS NULL OR kind = ANY (kinds))
         ORDER BY created_at DESC, credit_version DESC LIMIT $2::bigint * $3::bigint)
        UNION ALL
        (SELECT created_at, debit_version, false FROM transfer
         WHERE debit = mine.id AND kind LIKE 'points.%' AND debit_version IS NOT NULL
           AND created_at BETWEEN since AND until AND ($4::text IS NULL OR kind = ANY (kinds))
         ORDER BY created_at DESC, debit_version DESC LIMIT $2::bigint * $3::bigint)) AS side
), page AS (
    SELECT f.created_at, f.version, side.row
    FROM (SELECT * FROM found ORDER BY created_at DESC, version DESC LIMIT $3::bigint OFFSET ($2::bigint - 1) * $3::bigint) AS f, mine,
    LATERAL (
        SELECT t AS row FROM transfer t WHERE came AND t.credit = mine.id AND t.credit_version = f.version
        UNION ALL
        SELECT t FROM transfer t WHERE NOT came AND t.debit = mine.id AND t.debit_version = f.version) AS side
), tally AS MATERIALIZED (
    SELECT t.*, CASE WHEN $4::text IS NULL THEN ARRAY(SELECT k FROM jsonb_object_keys(t.kinds) k WHERE k LIKE 'points.%')
                     ELSE asked.kinds END AS listed
    FROM mine, asked, LATERAL tally_of(mine.id) AS t
), kept AS (
    INSERT INTO transfer_tally SELECT account, upto, kinds FROM tally WHERE fresh > 1000
    ON CONFLICT (account) DO UPDATE SET upto = excluded.upto, kinds = excluded.kinds WHERE transfer_tally.upto < excluded.upto
), outside AS MATERIALIZED (
    -- Of any type, so that the bound is one of the rows looked at.
    SELECT count(*) AS seen, count(*) FILTER (WHERE $4::text IS NULL OR kind = ANY (asked_kinds)) AS n
    FROM (
        SELECT side.kind, asked.kinds AS asked_kinds FROM mine, asked, LATERAL (
            SELECT kind FROM transfer
            WHERE credit = mine.id AND kind LIKE 'points.%' AND credit_version IS NOT NULL AND created_at < since
            UNION ALL
            SELECT kind FROM transfer
            WHERE credit = mine.id AND kind LIKE 'points.%' AND credit_version IS NOT NULL AND created_at > until
            UNION ALL
            SELECT kind FROM transfer
            WHERE debit = mine.id AND kind LIKE 'points.%' AND debit_version IS NOT NULL AND created_at < since
            UNION ALL
            SELECT kind FROM transfer
            WHERE debit = mine.id AND kind LIKE 'points.%' AND debit_version IS NOT NULL AND created_at > until) AS side
        LIMIT 10001) AS row
), total AS (
    SELECT CASE WHEN outside.seen <= 10000 THEN tally_sum(tally.kinds, tally.listed, 'n') - outside.n ELSE (
        SELECT count(*) FROM (
            SELECT FROM transfer
            WHERE credit = mine.id AND kind LIKE 'points.%' AND credit_version IS NOT NULL
              AND created_at BETWEEN since AND until AND ($4::text IS NULL OR kind = ANY (asked.kinds))
            UNION ALL
            SELECT FROM transfer
            WHERE debit = mine.id AND kind LIKE 'points.%' AND debit_version IS NOT NULL
              AND created_at BETWEEN since AND until AND ($4::text IS NULL OR kind = ANY (asked.kinds))) AS side) END AS n
    FROM mine, asked, tally, outside
)
SELECT json_build_object('success', true, 'data', json_build_object(
    'transactions', coalesce((
        SELECT json_agg(point_transaction(page.row, mine.id, $1::bigint) ORDER BY page.created_at DESC, page.version DESC)
        FROM page), '[]'),
    'pagination', json_build_object('page', $2::bigint, 'limit', $3::bigint, 'total', total.n,
                                    'hasMore', $2::bigint * $3::bigint < total.n)))
FROM mine, total
