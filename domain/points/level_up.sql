-- Events for inboxes, attached to postings. Each takes the next number of its user's inbox under the lock of the user's row; the rows are
-- locked by ascending id, so that batches of two processes cannot wait for each other in a circle. Several events of one
-- user get consecutive numbers in the order of the arrays, which is the order in which the postings were decided.
-- $1 the postings' ids (unused), $2 users, $3 types, $4 data (JSON): arrays of one length
-- One row: how many were written.
WITH asked AS (
    SELECT user_id::bigint AS user_id, type, data::jsonb AS data, row_number() OVER (PARTITION BY user_id ORDER BY place) AS n
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS a (posting, user_id, type, data, place)
), locked AS (
    SELECT id, inbox_seq FROM users WHERE id IN (SELECT user_id FROM asked) ORDER BY id FOR NO KEY UPDATE
), counted AS (
    UPDATE users u SET inbox_seq = l.inbox_seq + (SELECT count(*) FROM asked a WHERE a.user_id = l.id)
    FROM locked l WHERE u.id = l.id
), written AS (
    INSERT INTO inbox (user_id, seq, type, data)
    SELECT a.user_id, l.inbox_seq + a.n, a.type, a.data FROM asked a JOIN locked l ON l.id = a.user_id
    RETURNING user_id, seq, type, data, created_at
)
SELECT count(tell(message)) FROM (
    SELECT jsonb_build_object('t', 'inbox', 'user', user_id, 'seq', seq, 'type', type, 'at', micros(created_at), 'data', data) AS message
    FROM written ORDER BY user_id, seq) AS messages
