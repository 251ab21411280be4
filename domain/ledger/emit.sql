-- Tells every process the transfers of a batch, once it commits (see event.h), and tells us the time they carry. The seed
-- alone needs it as a statement of its own; the ledger does it where it writes (write.sql).
-- Params: $1 the encoded transfers. Row: created_us, position (unused).
SELECT at_us, pg_logical_emit_message(true, 'tally', 'L'::bytea || int8send(at_us) || $1::bytea)
FROM (SELECT micros(now()) OFFSET 0) AS t (at_us)
