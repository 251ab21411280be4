-- USR-20: makes an address of the caller the default.
-- $1 caller, $2 address
-- One row: the reply. No row: none of the caller's.
SELECT json_build_object('status', true, 'message', 'Default address updated', 'data', address_json(a))
FROM address_choose($1::bigint, $2::bigint) a WHERE a.id IS NOT NULL
