-- USR-62: a new question.
-- $1 NULL (a key is nobody), $2 question, $3 answer, $4 category or NULL
-- One row: the reply.
WITH added AS (
    INSERT INTO faqs (question, answer, category)
    SELECT $2::text, $3::text, nullif($4::text, '') WHERE $1::bigint IS NULL
    RETURNING *
)
SELECT json_build_object('status', true, 'message', 'FAQ created', 'data', faq_json(a::faqs)) FROM added a
