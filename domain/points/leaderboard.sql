-- POINTS-05: who has brought the most people.
-- $1 caller (unused), $2 how many, $3 period: all, month, week
-- One row: the reply.
SELECT json_build_object('success', true, 'data', json_build_object('entries', referral_board($3::text, $2::bigint)))
WHERE $1::bigint IS NOT NULL
