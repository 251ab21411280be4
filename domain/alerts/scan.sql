-- A chunk of the accounts: those with transfers of which the owner has not been told.
-- $1 the last id of the chunk before, $2 how many accounts are looked at
-- Rows: account, owner, alerted, version, balance. The last row: the last id looked at (NULL: there was none), NULL …
WITH chunk AS MATERIALIZED (
    SELECT id, owner_user_id, kind, alerted, version, balance FROM account WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint
), owed AS (
    SELECT c.id, c.owner_user_id, c.alerted, c.version, c.balance
    FROM chunk c JOIN users u ON u.id = c.owner_user_id
    WHERE c.kind = 'bank' AND c.alerted < c.version AND u.email IS NOT NULL AND u.status <> 'deleted'
)
SELECT id, owner_user_id, alerted, version, balance, 0 AS last FROM owed
UNION ALL SELECT max(id), NULL, NULL, NULL, NULL, 1 FROM chunk
ORDER BY last
