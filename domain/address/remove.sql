-- USR-19: deletes an address of the caller.
-- $1 caller, $2 address
-- One row: the reply. No row: none of the caller's.
SELECT json_build_object('status', true, 'message', 'Address deleted')
FROM address_remove($1::bigint, $2::bigint) a WHERE a.id IS NOT NULL
