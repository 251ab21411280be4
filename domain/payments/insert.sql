-- USR-21, 22: a new invoice of an active user, given by id or by name.
-- $1 user or NULL, $2 username or NULL, $3 amount, $4 description, $5 method or NULL, $6 e-wallet or NULL, $7 provider, $8 external_id,
-- $9 the provider's id and $10 address, when he is inside
-- One row: id, Invoice, e-mail. No row: there is no such user.
WITH owner AS (
    SELECT id, email FROM users WHERE (id = $1::bigint OR lower(username) = lower($2::text)) AND status = 'active'
), inserted AS (
    INSERT INTO payment_invoices (user_id, amount, description, payment_method, payment_channel, ewallet_type, provider, external_id,
                                  invoice_id, invoice_url)
    SELECT id, $3::bigint, coalesce($4::text, 'Payment'), $5::text, $6::text, $6::text, $7::text, $8::text, $9::text, $10::text FROM owner
    RETURNING *
)
SELECT i.id, invoice_json(i::payment_invoices), o.email FROM inserted i CROSS JOIN owner o
