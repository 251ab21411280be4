-- What the provider has said of a payout that goes on or is done.
-- $1 payout, $2 his id or NULL, $3 whether it is done
-- No rows.
UPDATE payouts
SET provider_id = coalesce(provider_id, $2::text), updated_at = now(),
    status = CASE WHEN $3::boolean AND status = 'PENDING' THEN 'COMPLETED' ELSE status END
WHERE id = $1::bigint
