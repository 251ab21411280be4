-- Every account's transfers, in the order of their versions over both sides: numbered from 1 without gap or double, each balance
-- the one before and the amount, the last one the account's own; and the same for lifetime points where they are told.
-- Row: how many links are broken; figures.
WITH side AS (
    SELECT debit AS id, debit_version AS version, debit_after AS after, -amount AS change,
        CASE WHEN lifetime_debit(kind) <> 0 THEN lifetime_after END AS lifetime_after, lifetime_debit(kind) * amount AS earned
    FROM transfer WHERE debit_version IS NOT NULL
    UNION ALL
    SELECT credit, credit_version, credit_after, amount,
        CASE WHEN lifetime_credit(kind) <> 0 THEN lifetime_after END, lifetime_credit(kind) * amount
    FROM transfer WHERE credit_version IS NOT NULL
), link AS (
    SELECT id, version, after, change, lifetime_after, earned,
        lag(version, 1, 0::bigint) OVER w AS version_before, lag(after, 1, 0::bigint) OVER w AS before,
        sum(earned) OVER w AS lifetime, lead(version) OVER w IS NULL AS last
    FROM side WINDOW w AS (PARTITION BY id ORDER BY version)
)
SELECT count(*) FILTER (WHERE l.version <> l.version_before + 1 OR l.after <> l.before + l.change
                            OR (l.earned <> 0 AND l.lifetime_after IS DISTINCT FROM l.lifetime)
                            OR (l.last AND (a.id IS NULL OR a.version <> l.version OR a.balance <> l.after))),
    format('%s links of %s accounts', count(*), count(*) FILTER (WHERE l.last))
FROM link AS l LEFT JOIN account AS a ON l.last AND a.id = l.id
