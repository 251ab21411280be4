-- What moved on accounts between two versions, when that is not too much to add up.
-- $1 accounts, $2 versions told of, $3 versions up to which
-- Rows, in the order asked: number of bank transfers (NULL: too many to look at), total in, total out.
SELECT s.transfers, s.total_in, s.total_out
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) WITH ORDINALITY AS r (account, told, upto, place)
LEFT JOIN LATERAL (
    SELECT count(*) AS transfers, coalesce(sum(amount) FILTER (WHERE incoming), 0)::bigint AS total_in,
        coalesce(sum(amount) FILTER (WHERE NOT incoming), 0)::bigint AS total_out
    FROM (SELECT amount, true AS incoming FROM transfer
          WHERE credit = r.account AND credit_version > r.told AND credit_version <= r.upto AND starts_with(kind, 'bank.')
          UNION ALL
          SELECT amount, false FROM transfer
          WHERE debit = r.account AND debit_version > r.told AND debit_version <= r.upto AND starts_with(kind, 'bank.')) t
) s ON r.upto - r.told <= 1000
ORDER BY r.place
