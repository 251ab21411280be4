-- Each asset sums to nothing over all its accounts: what the bounded ones carry and what was taken from the unbounded ones.
-- Row: how many assets do not; figures.
WITH unbounded AS (
    SELECT a.asset, sum(s.change) AS balance
    FROM (SELECT credit AS id, sum(amount) AS change FROM transfer GROUP BY credit
          UNION ALL
          SELECT debit, -sum(amount) FROM transfer GROUP BY debit) AS s
    JOIN account AS a ON a.id = s.id AND a.unbounded
    GROUP BY a.asset
), bounded AS (
    SELECT asset, sum(balance) AS balance FROM account WHERE NOT unbounded GROUP BY asset
), asset AS (
    SELECT coalesce(b.asset, u.asset) AS name, coalesce(b.balance, 0) AS held, coalesce(u.balance, 0) AS issued
    FROM bounded AS b FULL JOIN unbounded AS u ON u.asset = b.asset
)
SELECT count(*) FILTER (WHERE held + issued <> 0), coalesce(string_agg(name || ' ' || held, ', ' ORDER BY name), 'no assets')
FROM asset
