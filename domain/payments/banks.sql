-- USR-32: banks, by name.
-- $1 unused, $2 DISBURSEMENT or VIRTUAL_ACCOUNT
-- One row: an array of banks.
SELECT coalesce(json_agg(json_build_object('code', code, 'name', name, 'can_disburse', can_disburse,
                                           'can_name_validate', can_name_validate) ORDER BY name), '[]')
FROM bank_channels
WHERE $1::bigint IS NULL AND CASE $2::text WHEN 'VIRTUAL_ACCOUNT' THEN has_accounts ELSE can_disburse END
