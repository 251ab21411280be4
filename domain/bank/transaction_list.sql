-- BANK-22: the caller's transactions, newest first; one between two of the accounts looked at appears once, as a
-- debit. Within an account the version is the order of time, so each side reads no more rows than the page needs.
-- $1 caller, $2 account or NULL for all, $3 page from 1, $4 rows a page
-- One row: the reply.
WITH mine AS (
    SELECT id FROM account
    WHERE owner_user_id = $1::bigint AND kind = 'bank' AND ($2::bigint IS NULL OR id = $2::bigint)
), found AS (
    SELECT side.* FROM mine, LATERAL (
        SELECT t.*, 'debit' AS direction FROM transfer t
        WHERE t.debit = mine.id AND t.debit_version IS NOT NULL AND t.kind IN ('bank.transfer', 'bank.initial_funds')
        ORDER BY t.debit_version DESC LIMIT $3::bigint * $4::bigint) AS side
    UNION ALL
    SELECT side.* FROM mine, LATERAL (
        SELECT t.*, 'credit' AS direction FROM transfer t
        WHERE t.credit = mine.id AND t.credit_version IS NOT NULL AND t.kind IN ('bank.transfer', 'bank.initial_funds')
          AND t.debit NOT IN (SELECT id FROM mine)
        ORDER BY t.credit_version DESC LIMIT $3::bigint * $4::bigint) AS side
), page AS (
    SELECT * FROM found ORDER BY created_at DESC, id DESC LIMIT $4::bigint OFFSET ($3::bigint - 1) * $4::bigint
), total AS (
    SELECT (SELECT count(*) FROM transfer t JOIN mine ON t.debit = mine.id
            WHERE t.debit_version IS NOT NULL AND t.kind IN ('bank.transfer', 'bank.initial_funds'))
         + (SELECT count(*) FROM transfer t JOIN mine ON t.credit = mine.id
            WHERE t.credit_version IS NOT NULL AND t.kind IN ('bank.transfer', 'bank.initial_funds')
              AND t.debit NOT IN (SELECT id FROM mine)) AS n
)
SELECT json_build_object(
    'transactions', coalesce((
        SELECT json_agg(json_build_object(
            '_id', pid('t', id), 'type', substr(kind, 6), 'fromAccount', pid('a', debit), 'toAccount', pid('a', credit),
            'amount', amount_of(amount), 'status', 'completed', 'idempotencyKey', idem_key,
            'createdAt', iso(created_at), 'updatedAt', iso(created_at), 'direction', direction)
            ORDER BY created_at DESC, id DESC)
        FROM page), '[]'),
    'pagination', json_build_object('page', $3::bigint, 'limit', $4::bigint, 'total', total.n,
                                    'hasMore', $3::bigint * $4::bigint < total.n))
FROM total
