-- REW-04: what a member earned, newest first. The versions of his account are the order of time; how many earnings there are stands in
-- reward_counts. The page is found in the index alone before its rows are read.
-- $1 caller (unused), $2 member id, $3 page from 1, $4 rows a page
-- One row: the reply. No row: there is no such member.
WITH caller AS (SELECT $1::bigint), member AS MATERIALIZED (
    SELECT a.id AS account, c.earnings AS total
    FROM reward_members m JOIN account a ON a.member_id = m.id JOIN reward_counts c ON c.account = a.id
    WHERE m.member_id = $2::text
), page AS MATERIALIZED (
    SELECT credit_version AS version FROM transfer
    WHERE credit = (SELECT account FROM member) AND credit_version IS NOT NULL
    ORDER BY credit_version DESC OFFSET ($3::bigint - 1) * $4::bigint
    LIMIT CASE WHEN ($3::bigint - 1) * $4::bigint < (SELECT total FROM member) THEN $4::bigint ELSE 0 END
)
SELECT json_build_object(
    'transactions', coalesce((
        SELECT json_agg(json_build_object(
            'id', pid('t', t.id), 'userId', $2::text, 'amount', amount_of(coalesce((t.metadata ->> 'amount')::bigint, 0)),
            'category', t.metadata ->> 'category', 'pointsEarned', t.amount, 'timestamp', iso(t.created_at))
            ORDER BY t.credit_version DESC)
        FROM page, LATERAL (
            SELECT * FROM transfer
            WHERE credit = (SELECT account FROM member) AND credit_version = page.version OFFSET 0) AS t), '[]'),
    'pagination', json_build_object('page', $3::bigint, 'limit', $4::bigint, 'total', total,
                                    'totalPages', (total + $4::bigint - 1) / $4::bigint))
FROM member
