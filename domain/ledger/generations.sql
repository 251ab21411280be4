-- The generations of the idempotency keys, oldest first; the last is the open one.
-- Rows: number, from_id, when it was closed (µs; 0: it is open).
SELECT number, from_id, coalesce(micros(closed_at), 0) FROM key_generation ORDER BY number
