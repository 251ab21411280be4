-- The voucher of the sample data.
-- One row: nothing of interest. No row: it was there.
INSERT INTO vouchers (code, kind, amount, description) VALUES ('PROMO123', 'promo', 2500, 'Sample voucher')
ON CONFLICT (upper(code)) DO NOTHING
RETURNING 1
