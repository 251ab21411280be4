-- Has the user redeemed for this purchase, by another request than the one with this key?
-- $1 user, $2 purchase, $3 idempotency key or NULL
-- One row: whether he has.
SELECT EXISTS (
    SELECT FROM point_redemptions r JOIN transfer t ON t.id = r.posting
    WHERE r.user_id = $1::bigint AND r.purchase_request_id = $2::text AND ($3::text IS NULL OR t.idem_key IS DISTINCT FROM $3::text))
