-- Puts alerts into the outbox and notes up to where their receivers have been told, both or neither. A person of whose accounts one is
-- not exactly where we believe it gets nothing: it is returned as it is, and told from the tables. Accounts are locked in the order of
-- their ids, like the ledger does. Only the leader's session has the lock; another one writes nothing.
-- $1 persons, $2 subjects, $3 texts (NULL: no mail), $4 html
-- $5 accounts, $6 their owners, $7 versions told of before, $8 versions told of with this
-- Rows: whether we lead, and for each account of a person who got nothing: owner, account, alerted, version, balance.
WITH lead AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock(7019267135) AS ours
), asked AS MATERIALIZED (
    SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[]) AS a (id, owner, told, newest)
), locked AS MATERIALIZED (
    SELECT a.id, a.alerted, a.version, a.balance FROM account a
    WHERE a.id = ANY ($5::bigint[]) AND (SELECT ours FROM lead)
    ORDER BY a.id FOR NO KEY UPDATE
), stale AS MATERIALIZED (
    SELECT DISTINCT asked.owner FROM asked LEFT JOIN locked ON locked.id = asked.id
    WHERE locked.alerted IS DISTINCT FROM asked.told
), moved AS (
    UPDATE account a SET alerted = asked.newest FROM asked
    WHERE a.id = asked.id AND asked.owner NOT IN (SELECT owner FROM stale)
), mailed AS (
    INSERT INTO mail_outbox (to_address, subject, body, html)
    SELECT u.email, m.subject, m.body, m.html
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS m (person, subject, body, html) JOIN users u ON u.id = m.person
    WHERE m.body IS NOT NULL AND u.email IS NOT NULL AND m.person NOT IN (SELECT owner FROM stale)
)
SELECT lead.ours, s.owner, s.id, s.alerted, s.version, s.balance
FROM lead LEFT JOIN (SELECT asked.owner, locked.* FROM stale JOIN asked USING (owner) JOIN locked ON locked.id = asked.id) s ON true
