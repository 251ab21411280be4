-- Payouts, attached to the postings that take the money. A bank that payouts cannot go to ends its posting.
-- $1 the postings' ids, $2 payout_ids, $3 reference_ids, $4 users, $5 amounts, $6 statuses, $7 banks, $8 account numbers, $9 holders,
-- $10 descriptions, $11 providers: arrays of one length
-- One row: nothing of interest.
WITH inserted AS (
    INSERT INTO payouts (posting, payout_id, reference_id, user_id, amount, status, bank_code, account_number, account_holder_name,
                         description, provider)
    SELECT n.posting, n.payout_id, n.reference_id, n.owner::bigint, n.amount::bigint, n.status::payout_status, b.code, n.account,
        n.holder, n.description, n.provider
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                $11::text[]) AS n (posting, payout_id, reference_id, owner, amount, status, bank, account, holder, description, provider)
    JOIN bank_channels b ON b.code = n.bank AND b.can_disburse
    RETURNING 1
)
SELECT payment_expect((SELECT count(*) FROM inserted), cardinality($1::bigint[]))
