-- BANK-22: the caller's transactions, newest first; one between two of the accounts looked at appears once, as a
-- debit. Within an account the version is the order of time, so each side reads no more rows than the page needs; the total
-- comes from the accounts' tallies (migrations/0006_spine.sql).
-- Two processes may commit on one account in another order than their transactions began. So that the pages still hold every
-- transaction once, a row counts as no younger than the rows of its account that follow it: then one order over all accounts
-- keeps the order of versions in each, however many rows were read.
-- $1 caller, $2 account or NULL for all, $3 page from 1, $4 rows a page
-- One row: the reply.
WITH mine AS (
    SELECT id FROM account
    WHERE owner_user_id = $1::bigint AND kind = 'bank' AND ($2::bigint IS NULL OR id = $2::bigint)
), found AS (
    SELECT side.* FROM mine, LATERAL (
        SELECT t.*, 'debit' AS direction, t.debit AS account, t.debit_version AS version FROM transfer t
        WHERE t.debit = mine.id AND t.debit_version IS NOT NULL AND t.kind IN ('bank.transfer', 'bank.initial_funds')
        ORDER BY t.debit_version DESC LIMIT $3::bigint * $4::bigint) AS side
    UNION ALL
    SELECT side.* FROM mine, LATERAL (
        SELECT t.*, 'credit' AS direction, t.credit AS account, t.credit_version AS version FROM transfer t
        WHERE t.credit = mine.id AND t.credit_version IS NOT NULL AND t.kind IN ('bank.transfer', 'bank.initial_funds')
          AND t.debit NOT IN (SELECT id FROM mine)
        ORDER BY t.credit_version DESC LIMIT $3::bigint * $4::bigint) AS side
), placed AS (
    SELECT found.*, min(created_at) OVER later AS placed_at, min(id) OVER later AS placed_id
    FROM found WINDOW later AS (PARTITION BY account ORDER BY version DESC)
), page AS (
    SELECT *, row_number() OVER (ORDER BY placed_at DESC, placed_id DESC, account, version DESC) AS place FROM placed
    ORDER BY place LIMIT $4::bigint OFFSET ($3::bigint - 1) * $4::bigint
), tally AS (
    SELECT t.* FROM mine, LATERAL tally_of(mine.id) AS t
), kept AS (
    INSERT INTO transfer_tally SELECT account, upto, kinds FROM tally WHERE fresh > 1000
    ON CONFLICT (account) DO UPDATE SET upto = excluded.upto, kinds = excluded.kinds WHERE transfer_tally.upto < excluded.upto
), total AS (
    SELECT coalesce(sum(tally_sum(kinds, listed, 'n')
                        - CASE WHEN $2::bigint IS NULL THEN tally_sum(kinds, listed, 'own') ELSE 0 END), 0)::bigint AS n
    FROM tally, (SELECT ARRAY['bank.transfer', 'bank.initial_funds'] AS listed) AS l
)
SELECT json_build_object(
    'transactions', coalesce((
        SELECT json_agg(json_build_object(
            '_id', pid('t', id), 'type', substr(kind, 6), 'fromAccount', pid('a', debit), 'toAccount', pid('a', credit),
            'amount', amount_of(amount), 'status', 'completed', 'idempotencyKey', idem_key,
            'createdAt', iso(created_at), 'updatedAt', iso(created_at), 'direction', direction)
            ORDER BY place)
        FROM page), '[]'),
    'pagination', json_build_object('page', $3::bigint, 'limit', $4::bigint, 'total', total.n,
                                    'hasMore', $3::bigint * $4::bigint < total.n))
FROM total
