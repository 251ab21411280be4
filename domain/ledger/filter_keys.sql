-- Some keys of a closed generation, in their order.
-- Params: $1 the last one before them, $2 where the next generation begins. Rows: the key's 16 bytes in hexadecimal digits.
SELECT encode(uuid_send(idem), 'hex') FROM transfer WHERE idem > $1::uuid AND idem < $2::uuid ORDER BY idem LIMIT 2048
