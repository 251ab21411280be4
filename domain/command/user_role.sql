-- Gives a person a role in place of the one he has; every process knows at once.
-- $1 e-mail, $2 role: user, admin, system, agent
-- One row: username. No row: there is no such person.
WITH changed AS (
    UPDATE users SET agent = $2::text = 'agent', is_admin = $2::text = 'admin', is_system = $2::text = 'system', updated_at = now()
    WHERE email = $1::text AND status <> 'deleted'
    RETURNING *
)
SELECT username, tell(user_message(c::users)) FROM changed c
