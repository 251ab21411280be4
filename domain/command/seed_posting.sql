-- One transfer of the sample data, unless it was made before. Accounts are locked by ascending id, as the ledger does it; a balance
-- that would go below zero is refused by the table.
-- $1 hash of the key, $2 key, $3 kind, $4 debit, $5 credit, $6 amount, $7 memo, $8 metadata
-- One row: id, debit_after, debit_version, credit_after, credit_version, lifetime_after. No row: it was there, or an account is not active.
WITH keys AS MATERIALIZED (
    SELECT number, closed_at IS NULL AS open, CASE WHEN closed_at IS NULL THEN ledger_keys(number, '{}') END FROM key_generation
), fresh AS MATERIALIZED (
    SELECT nextval('transfer_id') AS id
    WHERE NOT EXISTS (SELECT FROM keys JOIN transfer ON idem = key_idem(number, $1::bytea))
      AND (SELECT count(*) FROM account WHERE id IN ($4::bigint, $5::bigint) AND status = 'active') = 2
), locked AS (
    SELECT a.id, a.balance, a.version, a.lifetime FROM account a
    WHERE a.id IN ($4::bigint, $5::bigint) AND NOT a.unbounded AND EXISTS (SELECT FROM fresh)
    ORDER BY a.id FOR NO KEY UPDATE
), moved AS (
    UPDATE account a
    SET balance = l.balance + CASE WHEN a.id = $5::bigint THEN $6::bigint ELSE -$6::bigint END, version = l.version + 1, updated_at = now(),
        lifetime = l.lifetime + CASE WHEN a.id = $5::bigint THEN lifetime_credit($3::text) * $6::bigint ELSE 0 END
    FROM locked l WHERE a.id = l.id
    RETURNING a.id, a.balance, a.version, a.lifetime
)
INSERT INTO transfer (id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version, lifetime_after,
                      idem, idem_key, memo, metadata)
SELECT f.id, f.id, $3::text, $4::bigint, $5::bigint, $6::bigint, d.balance, d.version, c.balance, c.version,
    CASE WHEN lifetime_credit($3::text) <> 0 THEN c.lifetime END, key_idem((SELECT number FROM keys WHERE open), $1::bytea), $2::text,
    $7::text, $8::jsonb
FROM fresh f LEFT JOIN moved d ON d.id = $4::bigint LEFT JOIN moved c ON c.id = $5::bigint
RETURNING id, debit_after, debit_version, credit_after, credit_version, lifetime_after
