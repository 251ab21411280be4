-- POINTS-20: what was minted for a reference.
-- $1 key, $2 type, $3 reference type, $4 reference id, $5 the points account and $6 the amount that are asked for now
-- One row: whether account and amount are the same, the reply. No row: nothing.
SELECT t.credit = $5::bigint AND t.amount = $6::bigint,
    json_build_object('success', true, 'data', json_build_object(
        'transaction', point_transaction(t, t.credit, a.owner_user_id), 'newBalance', t.credit_after))
FROM point_references r JOIN transfer t ON t.id = r.posting JOIN account a ON a.id = t.credit
WHERE r.api_key_id = $1::bigint AND r.type = $2::text AND r.reference_type = $3::text AND r.reference_id = $4::text
