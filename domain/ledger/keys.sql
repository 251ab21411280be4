-- Which idempotency keys have been used, and by what: all legs of each posting, the first one first.
-- Params: $1 the keys as they may have been stored, $2 a number for each, ascending. Rows: that number, request_hash, created_us,
--         posting, id, debit, credit, amount, debit_after, debit_version, credit_after, credit_version, lifetime_after.
SELECT k.n, f.request_hash, micros(f.created_at), t.posting, t.id, t.debit, t.credit, t.amount, t.debit_after,
    t.debit_version, t.credit_after, t.credit_version, t.lifetime_after
FROM unnest($1::uuid[], $2::bigint[]) AS k (idem, n)
JOIN transfer AS f ON f.idem = k.idem
JOIN transfer AS t ON t.id >= f.id AND t.id < f.id + 8 AND t.posting = f.id
ORDER BY k.n, t.id
