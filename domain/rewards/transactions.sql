-- REW-04: what a member earned, newest first. The versions of his account are the order of time; how many earnings there are stands in
-- reward_counts. The page is found in the index alone before its rows are read, from the nearer end: the last page costs what the first
-- does.
-- $1 caller (unused), $2 member id, $3 page from 1, $4 rows a page
-- One row: the reply. No row: there is no such member.
WITH caller AS (SELECT $1::bigint), member AS MATERIALIZED (
    SELECT a.id AS account, c.earnings AS total, ($3::bigint - 1) * $4::bigint AS skip,
        c.earnings - $3::bigint * $4::bigint AS behind    -- how many are older than the page's; below 0 when it is not full
    FROM reward_members m JOIN account a ON a.member_id = m.id JOIN reward_counts c ON c.account = a.id
    WHERE m.member_id = $2::text
), page AS MATERIALIZED (
    (SELECT credit_version AS version FROM transfer
     WHERE credit = (SELECT account FROM member) AND credit_version IS NOT NULL
     ORDER BY credit_version DESC OFFSET (SELECT skip FROM member)
     LIMIT (SELECT CASE WHEN skip <= behind THEN $4::bigint ELSE 0 END FROM member))
    UNION ALL
    (SELECT credit_version FROM transfer
     WHERE credit = (SELECT account FROM member) AND credit_version IS NOT NULL
     ORDER BY credit_version OFFSET (SELECT greatest(behind, 0) FROM member)
     LIMIT (SELECT CASE WHEN skip > behind THEN greatest(least($4::bigint, total - skip), 0) ELSE 0 END FROM member))
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
