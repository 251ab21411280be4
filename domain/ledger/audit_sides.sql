-- Both accounts of every transfer exist and hold the same asset; a side tells balance and version exactly when its account
-- is bounded. These are the foreign keys that the table does not have.
-- Row: how many transfers are wrong; figures.
SELECT count(*) FILTER (WHERE d.id IS NULL OR c.id IS NULL OR d.asset <> c.asset
                            OR (t.debit_version IS NULL) <> d.unbounded OR (t.debit_after IS NULL) <> d.unbounded
                            OR (t.credit_version IS NULL) <> c.unbounded OR (t.credit_after IS NULL) <> c.unbounded),
    format('%s transfers', count(*))
FROM transfer AS t LEFT JOIN account AS d ON d.id = t.debit LEFT JOIN account AS c ON c.id = t.credit
