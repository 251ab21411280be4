-- POINTS-02 without filters. An account's transfers are numbered without gap, so its version is their number and a page is a range of
-- versions: every page of every length of history costs the same.
-- $1 caller, $2 page from 1, $3 rows a page
-- One row: the reply.
WITH mine AS MATERIALIZED (
    SELECT id, version AS total, version - ($2::bigint - 1) * $3::bigint AS newest
    FROM account WHERE owner_user_id = $1::bigint AND kind = 'points'
), page AS (
    SELECT side.* FROM mine, LATERAL (
        SELECT t AS row, t.credit_version AS version FROM transfer t
        WHERE t.credit = mine.id AND t.credit_version BETWEEN mine.newest - $3::bigint + 1 AND mine.newest
        UNION ALL
        SELECT t, t.debit_version FROM transfer t
        WHERE t.debit = mine.id AND t.debit_version BETWEEN mine.newest - $3::bigint + 1 AND mine.newest) AS side
)
SELECT json_build_object('success', true, 'data', json_build_object(
    'transactions', coalesce((
        SELECT json_agg(point_transaction(page.row, mine.id, $1::bigint) ORDER BY page.version DESC) FROM page), '[]'),
    'pagination', json_build_object('page', $2::bigint, 'limit', $3::bigint, 'total', mine.total,
                                    'hasMore', $2::bigint * $3::bigint < mine.total)))
FROM mine
