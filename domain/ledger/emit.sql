-- Tells every process the transfers of a batch, once it commits (see event.h), and tells us the time they carry.
-- The time is written out: micros() is not inlined, and this runs for every batch.
-- Params: $1 the encoded transfers. Row: created_us, position (unused).
SELECT at_us, pg_logical_emit_message(true, 'tally', 'L'::bytea || int8send(at_us) || $1::bytea)
FROM (SELECT (extract(epoch FROM now()) * 1000000)::bigint OFFSET 0) AS t (at_us)
