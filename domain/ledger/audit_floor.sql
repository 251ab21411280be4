-- No account is below zero, and none was at any time.
-- Row: how many balances are; figures.
SELECT (SELECT count(*) FROM account WHERE balance < 0) + (SELECT count(*) FROM transfer WHERE debit_after < 0 OR credit_after < 0),
    format('lowest balance %s', coalesce((SELECT min(balance) FROM account WHERE NOT unbounded), 0))
