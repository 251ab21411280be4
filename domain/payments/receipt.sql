-- Receipts for payments, attached to the postings that credit them: by mail for owners who have an address, and to their devices.
-- $1 the postings' ids (unused), $2 users, $3 subjects, $4 texts, $5 html, $6 what devices show, $7 data for their apps: arrays of one
-- length
-- No rows.
WITH receipts AS MATERIALIZED (
    SELECT u.id, u.email, r.subject, r.body, r.html, r.shown, r.data
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS r (posting, owner, subject, body, html, shown, data)
    JOIN users u ON u.id = r.owner::bigint
    WHERE u.status <> 'deleted'
), mailed AS (
    INSERT INTO mail_outbox (to_address, subject, body, html) SELECT email, subject, body, html FROM receipts WHERE email IS NOT NULL
)
INSERT INTO push_outbox (token, title, body, data)
SELECT t.token, r.subject, r.shown, r.data FROM receipts r JOIN fcm_tokens t ON t.user_id = r.id
