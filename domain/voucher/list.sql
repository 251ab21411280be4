-- USR-68: the vouchers that services have made, newest first; discount codes are their owners' affair.
-- $1 unused, $2 limit, $3 page
-- One row: an array of Voucher.
SELECT coalesce(json_agg(voucher_json(page::vouchers) ORDER BY page.id DESC), '[]')
FROM (SELECT * FROM vouchers WHERE kind = 'promo' AND $1::bigint IS NULL
      ORDER BY id DESC LIMIT $2::bigint OFFSET ($3::bigint - 1) * $2::bigint) AS page
