-- $1 who
-- No rows.
UPDATE jobs SET leased_till = now() WHERE name = 'payment-sync' AND holder = $1::text
