-- Tells every process the transfers of a batch, once it commits (see event.h), and tells us the time they carry.
-- Params: $1 the encoded transfers. Row: created_us, position (unused).
SELECT micros(now()), pg_logical_emit_message(true, 'tally', 'L'::bytea || int8send(micros(now())) || $1::bytea)
