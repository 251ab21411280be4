-- Callbacks at speed. A function in SQL that cannot become part of the statement is planned anew by every statement that calls it, which
-- cost more than all that a batch of payments writes.

-- What payment-status tells of an invoice that has just changed.
DROP FUNCTION invoice_event(payment_invoices, invoice_status, text);
CREATE FUNCTION invoice_event(i payment_invoices, username text, previous invoice_status, currency text) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('invoiceId', coalesce(i.invoice_id, i.external_id), 'externalId', i.external_id,
        'username', username, 'status', i.status, 'previousStatus', previous, 'amount', amount_of(i.amount), 'currency', currency,
        'paidAt', CASE WHEN i.status = 'PAID' THEN iso(i.paid_at) END) $$;

-- The next events of inboxes, one for each element; several of one user in the order of the arrays. Users are locked by ascending id, so
-- that two processes cannot wait for each other in a circle. Returns how many were told.
CREATE OR REPLACE FUNCTION tell_inbox(owners bigint[], type text, contents jsonb[]) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    told bigint;
BEGIN
    WITH asked AS (
        SELECT owner, content, row_number() OVER (PARTITION BY owner ORDER BY place) AS n
        FROM unnest($1, $3) WITH ORDINALITY AS a (owner, content, place)
    ), locked AS (
        SELECT u.id, u.inbox_seq FROM users u WHERE u.id IN (SELECT owner FROM asked) ORDER BY u.id FOR NO KEY UPDATE
    ), counted AS (
        UPDATE users u SET inbox_seq = l.inbox_seq + (SELECT count(*) FROM asked a WHERE a.owner = l.id)
        FROM locked l WHERE u.id = l.id
    ), written AS (
        INSERT INTO inbox AS i (user_id, seq, type, data)
        SELECT a.owner, l.inbox_seq + a.n, $2, a.content FROM asked a JOIN locked l ON l.id = a.owner
        RETURNING i.user_id, i.seq, i.type, i.created_at, i.data
    )
    SELECT count(pg_logical_emit_message(true, 'tally', message)) INTO told FROM (
        SELECT jsonb_build_object('t', 'inbox', 'user', w.user_id, 'seq', w.seq, 'type', w.type, 'at', micros(w.created_at),
                                  'data', w.data)::text AS message
        FROM written w ORDER BY w.user_id, w.seq) AS messages;
    RETURN told;
END $$;
