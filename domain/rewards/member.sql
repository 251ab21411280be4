-- A member's account as the tables have it.
-- $1 member id
-- One row: its message. No row: there is no such member.
SELECT account_message(a) FROM reward_members m JOIN account a ON a.member_id = m.id WHERE m.member_id = $1::text
