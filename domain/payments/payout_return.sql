-- Payouts that have failed, attached to the postings that return the money.
-- $1 the postings' ids, $2 payouts: arrays of one length
-- One row: nothing of interest.
WITH failed AS (
    UPDATE payouts p SET status = 'FAILED', returned = n.posting, updated_at = now()
    FROM unnest($1::bigint[], $2::text[]) AS n (posting, payout)
    WHERE p.id = n.payout::bigint AND p.returned IS NULL
    RETURNING 1
)
SELECT payment_expect((SELECT count(*) FROM failed), cardinality($1::bigint[]))
