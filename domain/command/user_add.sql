-- A person by the operator's hand: the e-mail counts as verified.
-- $1 e-mail, $2 first name, $3 last name, $4 password hash, $5 role: user, admin, system, agent
-- One row: id, username. No row: the e-mail is taken.
WITH created AS (
    INSERT INTO users (username, email, email_verified_at, first_name, last_name, agent, is_admin, is_system, referral_code)
    VALUES (free_username($1::text), $1::text, now(), $2::text, $3::text, $5::text = 'agent', $5::text = 'admin', $5::text = 'system',
            new_referral_code())
    ON CONFLICT (email) DO NOTHING
    RETURNING *
), credentials AS (
    INSERT INTO user_credentials (user_id, password_hash) SELECT id, $4::text FROM created
)
SELECT c.id, c.username, tell(user_message(c::users)), (SELECT count(*) FROM open_own_accounts(c.id)),
    identity_proved(c.id, 'email', $1::text)
FROM created c
