-- What happened to one account between two of its versions, in order.
-- $1 account, $2 first version, $3 last version
SELECT id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version, lifetime_after,
       micros(created_at), reference_type, reference_id, metadata
FROM (
    SELECT t.*, debit_version AS version FROM transfer t
    WHERE debit = $1::bigint AND debit_version BETWEEN $2::bigint AND $3::bigint
    UNION ALL
    SELECT t.*, credit_version AS version FROM transfer t
    WHERE credit = $1::bigint AND credit_version BETWEEN $2::bigint AND $3::bigint
) AS missed
ORDER BY version
