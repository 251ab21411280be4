-- Which of two messages about a user is the newer one. A statement of ours may have read a user before a change that the stream brings,
-- and answer after it: memory takes only what is no older than what it has, as it does with accounts.
--
-- What memory keeps of a user counts it further, and nothing else does: the inbox has its own number, and is counted much more often.
ALTER TABLE users ADD COLUMN version bigint NOT NULL DEFAULT 1;

CREATE FUNCTION count_person_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END $$;
CREATE TRIGGER person_version
    BEFORE UPDATE OF username, email, first_name, last_name, agent, is_admin, is_system, status, referral_code, tokens_from ON users
    FOR EACH ROW EXECUTE FUNCTION count_person_version();

CREATE OR REPLACE FUNCTION user_message(u users) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('t', 'user', 'id', u.id, 'version', u.version, 'username', u.username, 'name', user_name(u),
        'email', u.email, 'admin', u.is_admin, 'system', u.is_system, 'agent', u.agent, 'active', u.status = 'active',
        'tokensFrom', micros(u.tokens_from), 'inbox', u.inbox_seq, 'referral', u.referral_code,
        'referrals', (SELECT count(*) FROM referrals r WHERE r.referrer_id = u.id)) $$;
