-- A rewards member of the sample data, made unless he is there.
-- $1 id, $2 name, $3 e-mail
-- One row: his account, or NULL when he could not be made since the e-mail is another's; whether he was made now; the issuer.
WITH made AS MATERIALIZED (
    SELECT open_member($1::text, $2::text, $3::text) -> 'message' ->> 'id' AS account
    WHERE NOT EXISTS (SELECT FROM reward_members WHERE member_id = $1::text)
)
SELECT coalesce((SELECT account::bigint FROM made),
                (SELECT a.id FROM account a JOIN reward_members m ON m.id = a.member_id WHERE m.member_id = $1::text)),
    EXISTS (SELECT FROM made WHERE account IS NOT NULL), (SELECT id FROM account WHERE code = 'rewards-issuer')
