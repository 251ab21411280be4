-- USR-41: what is on offer to the caller, newest first.
-- $1 caller
-- One row: the reply.
SELECT coalesce(json_agg(offer_json(o) ORDER BY o.id DESC), '[]')
FROM marketing_offers o
WHERE o.is_active AND o.valid_until > now() AND (o.user_id IS NULL OR o.user_id = $1::bigint)
