-- Params: $1 the number of a closed generation. Row: its filter in hexadecimal digits; NULL: nobody has made it yet.
SELECT encode(filter, 'hex') FROM key_generation WHERE number = $1::int
