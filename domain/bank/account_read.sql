-- Accounts as the tables have them, for when memory cannot tell: one, or all of an owner.
-- $1 account or NULL, $2 owner or NULL
-- Each row: the account's message.
SELECT account_message(a) FROM account a
WHERE (id = $1::bigint OR owner_user_id = $2::bigint) AND NOT unbounded
ORDER BY id
