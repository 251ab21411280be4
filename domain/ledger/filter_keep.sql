-- Params: $1 the number of a closed generation, $2 its filter.
UPDATE key_generation SET filter = $2::bytea WHERE number = $1::int AND closed_at IS NOT NULL
