-- Invoices that have been paid, attached to the postings that credit it: the new status and the owners' inbox events. An invoice that is
-- PAID already ends its posting.
-- $1 the postings' ids, $2 invoices, $3 amounts paid, $4 when (microseconds since 1970) or NULL for now, $5 methods, $6 channels,
-- $7 currencies, $8 the provider's ids for invoices that have none yet: arrays of one length
-- One row: nothing of interest.
WITH asked AS MATERIALIZED (
    SELECT posting, invoice::bigint AS invoice, amount::bigint AS amount, to_timestamp(at::numeric / 1000000) AS at, method, channel,
        currency, provider_id, place
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
        WITH ORDINALITY AS a (posting, invoice, amount, at, method, channel, currency, provider_id, place)
), locked AS MATERIALIZED (
    SELECT i.id, i.status, u.username FROM payment_invoices i JOIN users u ON u.id = i.user_id
    WHERE i.id IN (SELECT invoice FROM asked) ORDER BY i.id FOR UPDATE OF i
), changed AS (
    UPDATE payment_invoices i
    SET status = 'PAID', paid_amount = a.amount, paid_at = coalesce(a.at, now()), posting = a.posting, updated_at = now(),
        payment_method = coalesce(a.method, i.payment_method), payment_channel = coalesce(a.channel, i.payment_channel),
        invoice_id = coalesce(i.invoice_id, a.provider_id)
    FROM asked a JOIN locked l ON l.id = a.invoice
    WHERE i.id = a.invoice AND l.status <> 'PAID'
    RETURNING i.user_id, a.place, invoice_event(i, l.username, l.status, a.currency) AS event
), told AS (
    SELECT tell_inbox(array_agg(user_id ORDER BY place), 'payment-status', array_agg(event ORDER BY place)) AS n FROM changed
)
SELECT payment_expect(n, cardinality($2::text[])) FROM told
