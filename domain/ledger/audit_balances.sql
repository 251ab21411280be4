-- Every bounded account is the sum of its transfers: balance, number (version) and lifetime points.
-- Row: how many accounts are not; figures.
WITH side AS (
    SELECT credit AS id, amount, lifetime_credit(kind) * amount AS earned FROM transfer
    UNION ALL
    SELECT debit, -amount, lifetime_debit(kind) * amount FROM transfer
), total AS (
    SELECT id, sum(amount) AS balance, count(*) AS version, sum(earned) AS lifetime FROM side GROUP BY id
)
SELECT count(*) FILTER (WHERE a.balance <> coalesce(t.balance, 0) OR a.version <> coalesce(t.version, 0)
                            OR a.lifetime <> coalesce(t.lifetime, 0)),
    format('%s accounts, %s in all', count(*), coalesce(sum(a.balance), 0))
FROM account AS a LEFT JOIN total AS t ON t.id = a.id
WHERE NOT a.unbounded
