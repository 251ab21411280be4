-- REW-01: a new member.
-- $1 id, $2 name, $3 e-mail
-- One row: the account's message, the reply; both NULL when the id or the e-mail is taken.
SELECT m -> 'message', m -> 'reply' FROM open_member($1::text, $2::text, $3::text) AS m
