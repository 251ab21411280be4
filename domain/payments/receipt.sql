-- Receipts by mail for payments, attached to the postings that credit them; for owners who have an address.
-- $1 the postings' ids (unused), $2 users, $3 subjects, $4 texts, $5 html: arrays of one length
-- No rows.
INSERT INTO mail_outbox (to_address, subject, body, html)
SELECT u.email, r.subject, r.body, r.html
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS r (posting, owner, subject, body, html)
JOIN users u ON u.id = r.owner::bigint
WHERE u.email IS NOT NULL AND u.status <> 'deleted'
