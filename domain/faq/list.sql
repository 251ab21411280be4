-- USR-61: all questions, newest first.
-- One row: the reply.
SELECT coalesce(json_agg(faq_json(f) ORDER BY f.id DESC), '[]') FROM faqs f
