-- Before keys are looked up: the generation must be the open one, and remains it until the transaction ends.
-- Params: $1 its number.
SELECT ledger_keys($1::int, '{}')
