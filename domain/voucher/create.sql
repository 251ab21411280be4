-- USR-67: a new voucher for everybody.
-- $1 unused, $2 code, $3 amount, $4 until when (microseconds since 1970) or NULL, $5 limit or NULL, $6 description or NULL
-- One row: the reply.
INSERT INTO vouchers AS v (code, kind, amount, valid_until, usage_limit, description)
SELECT $2::text, 'promo', $3::bigint, to_timestamp($4::bigint::numeric / 1000000), $5::int, $6::text WHERE $1::bigint IS NULL
RETURNING json_build_object('status', true, 'message', 'Voucher created', 'data', voucher_json(v))
