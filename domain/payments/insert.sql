-- USR-21, 22: new invoices of active users, given by id or by name.
-- $1 users or NULL, $2 usernames or NULL, $3 amounts, $4 descriptions or NULL, $5 methods or NULL, $6 e-wallets or NULL, $7 providers,
-- $8 external_ids, $9 the provider's ids and $10 addresses, when he is inside: arrays of one length
-- Rows: id, Invoice, e-mail, place. No row: there is no such user.
WITH owned AS MATERIALIZED (
    SELECT a.*, u.id AS user_id, u.email
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
        WITH ORDINALITY AS a (owner, username, amount, description, method, ewallet, provider, external_id, invoice_id, url, place)
    CROSS JOIN LATERAL (
        SELECT id, email FROM users
        WHERE (users.id = a.owner::bigint OR lower(users.username) = lower(a.username)) AND status = 'active' LIMIT 1) AS u
), inserted AS (
    INSERT INTO payment_invoices (user_id, amount, description, payment_method, payment_channel, ewallet_type, provider, external_id,
                                  invoice_id, invoice_url)
    SELECT user_id, amount::bigint, coalesce(description, 'Payment'), method, ewallet, ewallet, provider, external_id, invoice_id, url
    FROM owned ORDER BY place
    RETURNING *
)
SELECT i.id, invoice_json(i::payment_invoices), o.email, o.place FROM owned o JOIN inserted i ON i.external_id = o.external_id
