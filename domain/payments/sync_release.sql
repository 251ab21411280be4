-- The run is over.
-- $1 who, $2 the regular time it was for, or NULL
-- No rows.
UPDATE jobs SET leased_till = now(), slot = greatest(slot, to_timestamp($2::bigint)) WHERE name = 'payment-sync' AND holder = $1::text
