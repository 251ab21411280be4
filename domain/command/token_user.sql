-- The person a token is for.
-- $1 e-mail
-- One row: id, username, agent, whether he may sign in. No row: there is no such person.
SELECT id, username, agent, status = 'active' FROM users WHERE email = $1::text AND status <> 'deleted'
