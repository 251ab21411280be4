-- USR-17: a new address of the caller.
-- $1 caller, $2 label, $3 recipient, $4 number, $5 address, $6 whether it becomes the default
-- One row: the reply. More than 100 violate addresses_limit.
SELECT json_build_object('status', true, 'message', 'Address created',
    'data', address_json(address_add($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::boolean)))
