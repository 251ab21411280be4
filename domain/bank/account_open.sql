-- BANK-03: a further account.
-- $1 caller
-- One row: the account's message, NULL when the caller has 100.
SELECT open_bank_account($1::bigint)
