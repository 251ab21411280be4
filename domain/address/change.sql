-- USR-18: changes an address of the caller.
-- $1 caller, $2 label, $3 recipient, $4 number, $5 its lines, $6 whether it is the default (NULL: as before), $7 the address
-- One row: the reply. No row: none of the caller's.
SELECT json_build_object('status', true, 'message', 'Address updated', 'data', address_json(a))
FROM address_change($1::bigint, $7::bigint, $2::text, $3::text, $4::text, $5::text, $6::boolean) a WHERE a.id IS NOT NULL
