-- Moves the accounts of a batch, one row an account however many transfers touched it. Every account
-- must be exactly as the batch found it, else ledger_expect ends the transaction with TL001. The ids
-- are sorted, and the session's settings make this a nested loop in their order (domain/ledger/batcher.c):
-- that is the order in which all processes lock accounts, so that none waits for another in a circle.
-- Params: $1 ids, $2 balances, $3 versions, $4 lifetimes before; $5 balances, $6 versions, $7 lifetimes after;
--         $8 ids of the unbounded accounts that take part; $9 how many accounts that is together.
WITH moved AS (
    UPDATE account AS a
    SET balance = n.balance, version = n.version, lifetime = n.lifetime, updated_at = now()
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
        AS n (id, balance_before, version_before, lifetime_before, balance, version, lifetime)
    WHERE a.id = n.id AND a.version = n.version_before AND a.balance = n.balance_before
        AND a.lifetime = n.lifetime_before AND a.status = 'active' AND NOT a.unbounded
    RETURNING 1
)
SELECT ledger_expect(
    (SELECT count(*) FROM moved)
        + (SELECT count(*) FROM unnest($8::bigint[]) AS u (id) JOIN account AS a ON a.id = u.id
           WHERE a.unbounded AND a.status = 'active'),
    $9::bigint)
