-- The key of the public ids, in hex.
SELECT encode(value, 'hex') FROM secret WHERE name = 'public-id'
