-- After history.sql: what the accounts must look like when all of it has happened. No alert is owed for it.
-- Variables: rounds (an even number), transfers (of all rounds), before (the newest transfer's id before round 1)
UPDATE account SET version = version + :rounds, alerted = version + :rounds WHERE kind = 'bank';
UPDATE key_generation SET closed_at = now() WHERE :transfers::bigint >> 20 > 0;
INSERT INTO key_generation (number, from_id, closed_at)
SELECT g, :before::bigint + (g << 20), CASE WHEN g < :transfers::bigint >> 20 THEN now() END
FROM generate_series(1::bigint, :transfers::bigint >> 20) g;
SELECT setval('transfer_id', 1 + 4096 * (1 + max(id) / 4096), false) FROM transfer \g /dev/null
VACUUM (ANALYZE) account, transfer;
