-- Params: $1 the number of the generation to close. Row: whether this has closed it.
SELECT close_key_generation($1::int)
