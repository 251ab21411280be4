-- A piece of the past: rounds :first to :last, each with every bank account in exactly one transfer of one
-- unit. In odd rounds the first half of the accounts pays the second half, in even rounds it is paid back, with
-- other partners each time: so every version and balance follows from the round's number alone. The idempotency keys are in
-- generations of 2^20, as the ledger would have closed them.
-- Variables: first, last (rounds), account (the first one's id), half (of the number of accounts),
--            owner (of the first account), each (accounts an owner has), funds (in each account before round 1),
--            before (the newest transfer's id before round 1)
WITH pair AS (
    SELECT r, r % 2 AS odd, (r - 1) * :half + j + 1 AS n, :account + j AS a, :account + :half + (j + r) % :half AS b
    FROM generate_series(:first::bigint, :last) r, generate_series(0, :half::bigint - 1) j
), leg AS (
    SELECT *, CASE odd WHEN 1 THEN a ELSE b END AS debit, CASE odd WHEN 1 THEN b ELSE a END AS credit,
        :owner + (CASE odd WHEN 1 THEN a ELSE b END - :account) / :each AS actor, 'history-' || n AS key
    FROM pair
)
INSERT INTO transfer (id, posting, kind, debit, credit, amount, debit_after, debit_version,
                      credit_after, credit_version, actor_user_id, idem, idem_key, request_hash)
SELECT :before + n, :before + n, 'bank.transfer', debit, credit, 100,
    :funds - odd * 100, 1 + r, :funds + odd * 100, 1 + r, actor,
    key_idem((n >> 20)::int, sha256(convert_to('u' || actor, 'UTF8') || '\x00' || convert_to(key, 'UTF8'))),
    key, hashtextextended(concat_ws(' ', 'bank.transfer', debit, credit, 100), 0) & 9223372036854775807
FROM leg ORDER BY n;
