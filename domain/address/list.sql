-- USR-16: the caller's addresses, the default first, then the oldest.
-- $1 caller
-- One row: the reply.
SELECT coalesce(json_agg(address_json(a) ORDER BY a.is_default DESC, a.id), '[]') FROM addresses a WHERE a.user_id = $1::bigint
