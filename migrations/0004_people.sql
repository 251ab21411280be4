-- People of the userstate surface: sign-ups that wait for their proof, codes by SMS, addresses, offers, questions, devices.

-- Sign-ups that wait ------------------------------------------------------------------------------

CREATE TYPE signup_mode AS ENUM ('LINK', 'OTP');

-- One entry an e-mail: signing up again replaces it, and with it the token and the code of the former. Of both only hashes are kept.
CREATE TABLE pending_signups (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username       text NOT NULL,
    email          text NOT NULL,           -- lower case
    phone          text,                    -- digits only
    password_hash  text NOT NULL,
    first_name     text NOT NULL,
    last_name      text NOT NULL,
    referral_code  text,                    -- upper case
    mode           signup_mode NOT NULL,
    token_hash     bytea NOT NULL,          -- SHA-256
    otp_hash       bytea,                   -- with OTP
    otp_expires_at timestamptz,
    otp_attempts   int NOT NULL DEFAULT 0,
    expires_at     timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX pending_signups_email ON pending_signups (email);
CREATE UNIQUE INDEX pending_signups_token ON pending_signups (token_hash);
CREATE INDEX pending_signups_username ON pending_signups (lower(username));
CREATE INDEX pending_signups_referral ON pending_signups (referral_code) WHERE referral_code IS NOT NULL;

-- A code that was sent to a number which a user says is his: one a user, the newest.
CREATE TABLE phone_codes (
    user_id    bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    phone      text NOT NULL,
    code_hash  bytea NOT NULL,
    attempts   int NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
);

CREATE TABLE deactivate_reasons (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS sms_outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    to_phone    text NOT NULL,              -- digits only
    text        text NOT NULL,
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'given_up')),
    attempts    int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS sms_outbox_due ON sms_outbox (next_try_at) WHERE status = 'waiting';

-- The name of a session of a given moment: for one that must be no older than a tokens_from just written.
CREATE FUNCTION new_jti(at timestamptz) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT lpad(to_hex(micros(at)), 14, '0')
        || substr(replace(gen_random_uuid()::text, '-', ''), 1, 10) $$;

-- Whoever proves an address or a number takes it from one who has not proved it; the loser's message, or NULL.
CREATE FUNCTION take_email(wanted text, winner bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    loser users;
BEGIN
    UPDATE users SET email = NULL, updated_at = now()
    WHERE email = wanted AND email_verified_at IS NULL AND id IS DISTINCT FROM winner
    RETURNING * INTO loser;
    IF loser.id IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM tell(user_message(loser));
    RETURN user_message(loser);
END $$;
CREATE FUNCTION take_phone(wanted text, winner bigint) RETURNS void LANGUAGE sql VOLATILE AS $$
    UPDATE users SET phone = NULL, updated_at = now()
    WHERE phone = wanted AND phone_verified_at IS NULL AND id IS DISTINCT FROM winner $$;

-- What of a sign-up somebody has already: 'email', 'username', 'phone', or NULL. What will be proved may be taken from one who has
-- not proved it; what will not be must be nobody's.
CREATE FUNCTION signup_conflict(wanted_email text, wanted_name text, wanted_phone text, by signup_mode) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM users WHERE email = wanted_email AND (by = 'OTP' OR email_verified_at IS NOT NULL)) THEN 'email'
        WHEN EXISTS (SELECT FROM users WHERE lower(username) = lower(wanted_name)) THEN 'username'
        WHEN EXISTS (SELECT FROM users WHERE phone = wanted_phone AND (by = 'LINK' OR phone_verified_at IS NOT NULL)) THEN 'phone'
    END $$;

-- The user of a sign-up whose proof has come, with all that belongs to him. `told` are the messages of everybody who has changed;
-- `due`: who brought him is to be rewarded now (domain/referral).
-- Raises unique_violation for what another took at the same moment.
CREATE FUNCTION admit(entry pending_signups, OUT person bigint, OUT told jsonb, OUT due boolean) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    admitted users;
BEGIN
    told := '[]';
    IF entry.mode = 'LINK' THEN
        told := told || coalesce(take_email(entry.email, NULL), '[]');
    ELSE
        PERFORM take_phone(entry.phone, NULL);
    END IF;
    INSERT INTO users (username, email, email_verified_at, phone, phone_verified_at, first_name, last_name, referral_code)
    VALUES (entry.username, entry.email, CASE WHEN entry.mode = 'LINK' THEN now() END,
            entry.phone, CASE WHEN entry.mode = 'OTP' THEN now() END, entry.first_name, entry.last_name, new_referral_code())
    RETURNING * INTO admitted;
    INSERT INTO user_credentials (user_id, password_hash) VALUES (admitted.id, entry.password_hash);
    PERFORM tell(user_message(admitted));
    told := told || user_message(admitted);
    told := told || (SELECT jsonb_agg(m) FROM open_own_accounts(admitted.id) AS m);
    IF entry.referral_code IS NOT NULL THEN
        told := told || coalesce(use_referral_code(admitted.id, entry.referral_code), '[]');
    END IF;
    due := CASE entry.mode WHEN 'LINK' THEN identity_proved(admitted.id, 'email', admitted.email)
                           ELSE identity_proved(admitted.id, 'phone', admitted.phone) END;
    DELETE FROM pending_signups WHERE id = entry.id;
    person := admitted.id;
END $$;

-- Confirms the sign-up of a token. `outcome`: 'done', 'token' (unknown, used, expired), 'otp' (wrong, expired, void), or what was taken
-- meanwhile, as signup_conflict says it. A wrong code is counted, and the fifth voids the code.
CREATE FUNCTION confirm_signup(token bytea, code bytea, OUT outcome text, OUT person bigint, OUT told jsonb, OUT due boolean,
                               OUT mode signup_mode, OUT email text)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    entry pending_signups;
    violated text;
BEGIN
    SELECT * INTO entry FROM pending_signups WHERE token_hash = token AND expires_at > now() FOR UPDATE;
    mode := entry.mode;
    email := entry.email;
    IF entry.id IS NULL THEN
        outcome := 'token';
    ELSIF entry.mode = 'OTP' AND (entry.otp_attempts >= 5 OR entry.otp_expires_at <= now() OR code IS DISTINCT FROM entry.otp_hash) THEN
        UPDATE pending_signups SET otp_attempts = otp_attempts + 1 WHERE id = entry.id;
        outcome := 'otp';
    ELSE
        outcome := signup_conflict(entry.email, entry.username, entry.phone, entry.mode);
    END IF;
    WHILE outcome IS NULL LOOP
        BEGIN
            SELECT a.person, a.told, a.due INTO person, told, due FROM admit(entry) a;
            outcome := 'done';
        EXCEPTION WHEN unique_violation THEN
            GET STACKED DIAGNOSTICS violated = CONSTRAINT_NAME;
            -- Two of 36^8 codes are the same: another one is made.
            IF violated <> 'users_referral_code' THEN
                outcome := CASE violated WHEN 'users_email' THEN 'email' WHEN 'users_username' THEN 'username' ELSE 'phone' END;
            END IF;
        END;
    END LOOP;
END $$;

-- A user's new password: every token that was issued before dies. NULL when `old_hash` is given and no longer the one.
-- The locks come first: who is being signed in by the old password holds a share of them, and his token shall die as well.
CREATE FUNCTION set_password(person bigint, hash text, old_hash text) RETURNS users LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    changed users;
BEGIN
    PERFORM FROM user_credentials WHERE user_id = person FOR NO KEY UPDATE;
    IF old_hash IS NOT NULL AND NOT EXISTS (SELECT FROM user_credentials WHERE user_id = person AND password_hash = old_hash) THEN
        RETURN NULL;
    END IF;
    INSERT INTO user_credentials (user_id, password_hash) VALUES (person, hash)
    ON CONFLICT (user_id) DO UPDATE SET password_hash = excluded.password_hash, changed_at = now();
    PERFORM FROM users WHERE id = person FOR NO KEY UPDATE;
    UPDATE users SET tokens_from = clock_timestamp(), updated_at = now() WHERE id = person RETURNING * INTO changed;
    UPDATE one_time_tokens SET used_at = now() WHERE user_id = person AND kind IN ('RESET_PWD', 'FINTECH_RESET') AND used_at IS NULL;
    PERFORM tell(user_message(changed));
    RETURN changed;
END $$;

-- Proves a number by the code that was sent to it; `why_not` is 'otp', 'phone' or NULL, `due` as above. A wrong code is counted, and the
-- fifth voids it.
CREATE FUNCTION prove_phone(person bigint, code bytea, OUT why_not text, OUT due boolean) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    sent phone_codes;
BEGIN
    due := false;
    SELECT * INTO sent FROM phone_codes WHERE user_id = person FOR UPDATE;
    IF sent.user_id IS NULL OR sent.attempts >= 5 OR sent.expires_at <= now() OR sent.code_hash <> code THEN
        UPDATE phone_codes SET attempts = attempts + 1 WHERE user_id = person;
        why_not := 'otp';
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM users WHERE phone = sent.phone AND phone_verified_at IS NOT NULL AND id <> person) THEN
        why_not := 'phone';
        RETURN;
    END IF;
    PERFORM take_phone(sent.phone, person);
    UPDATE users SET phone = sent.phone, phone_verified_at = now(), updated_at = now() WHERE id = person;
    DELETE FROM phone_codes WHERE user_id = person;
    due := identity_proved(person, 'phone', sent.phone);
EXCEPTION WHEN unique_violation THEN   -- another proved it at the same moment
    why_not := 'phone';
END $$;

-- Addresses -----------------------------------------------------------------------------------------

CREATE TABLE addresses (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id        bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    label          text NOT NULL,
    recipient_name text NOT NULL,
    phone_number   text NOT NULL,
    address        text NOT NULL,
    is_default     boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX addresses_user ON addresses (user_id);
CREATE UNIQUE INDEX addresses_default ON addresses (user_id) WHERE is_default;

CREATE FUNCTION address_json(a addresses) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', a.id, 'label', a.label, 'recipient_name', a.recipient_name, 'phone_number', a.phone_number,
                             'address', a.address, 'is_default', a.is_default) $$;

-- Gives the mark to one address of the owner; the callers hold the owner's row, so that two at the same moment do not both give it.
CREATE FUNCTION address_mark(owner bigint, chosen bigint) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    UPDATE addresses SET is_default = false WHERE user_id = owner AND is_default AND id <> chosen;
    UPDATE addresses SET is_default = true WHERE user_id = owner AND id = chosen AND NOT is_default;
END $$;

-- A new address; the first one bears the mark. Raises check_violation when the owner has 100.
CREATE FUNCTION address_add(owner bigint, new_label text, recipient text, phone text, text_of text, mark boolean) RETURNS addresses
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    added addresses;
    others int;
BEGIN
    PERFORM FROM users WHERE id = owner FOR NO KEY UPDATE;
    SELECT count(*) INTO others FROM addresses WHERE user_id = owner;
    IF others >= 100 THEN
        RAISE EXCEPTION 'addresses: 100 of user %', owner USING ERRCODE = 'check_violation', CONSTRAINT = 'addresses_limit';
    END IF;
    INSERT INTO addresses (user_id, label, recipient_name, phone_number, address)
    VALUES (owner, new_label, recipient, phone, text_of) RETURNING * INTO added;
    IF mark OR others = 0 THEN
        PERFORM address_mark(owner, added.id);
        added.is_default := true;
    END IF;
    RETURN added;
END $$;

-- Changes an address of the owner; NULL when it is none. `mark` NULL leaves the mark where it is; false hands it to the newest other
-- one, when there is another.
CREATE FUNCTION address_change(owner bigint, chosen bigint, new_label text, recipient text, phone text, text_of text, mark boolean)
RETURNS addresses LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    changed addresses;
    other bigint;
BEGIN
    PERFORM FROM users WHERE id = owner FOR NO KEY UPDATE;
    UPDATE addresses SET label = new_label, recipient_name = recipient, phone_number = phone, address = text_of, updated_at = now()
    WHERE id = chosen AND user_id = owner RETURNING * INTO changed;
    IF changed.id IS NULL THEN
        RETURN NULL;
    END IF;
    IF mark THEN
        PERFORM address_mark(owner, chosen);
    ELSIF NOT mark AND changed.is_default THEN
        SELECT max(id) INTO other FROM addresses WHERE user_id = owner AND id <> chosen;
        PERFORM address_mark(owner, coalesce(other, chosen));
    END IF;
    SELECT * INTO changed FROM addresses WHERE id = chosen;
    RETURN changed;
END $$;

-- Makes an address of the owner the default; NULL when it is none of his.
CREATE FUNCTION address_choose(owner bigint, chosen bigint) RETURNS addresses LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    now_default addresses;
BEGIN
    PERFORM FROM users WHERE id = owner FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM addresses WHERE id = chosen AND user_id = owner) THEN
        PERFORM address_mark(owner, chosen);
        SELECT * INTO now_default FROM addresses WHERE id = chosen;
    END IF;
    RETURN now_default;
END $$;

-- Deletes an address of the owner and hands its mark to the newest one left; NULL when it is none of his.
CREATE FUNCTION address_remove(owner bigint, chosen bigint) RETURNS addresses LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    removed addresses;
BEGIN
    PERFORM FROM users WHERE id = owner FOR NO KEY UPDATE;
    DELETE FROM addresses WHERE id = chosen AND user_id = owner RETURNING * INTO removed;
    IF removed.is_default THEN
        PERFORM address_mark(owner, (SELECT max(id) FROM addresses WHERE user_id = owner));
    END IF;
    RETURN removed;
END $$;

-- Offers, questions, devices -------------------------------------------------------------------------

CREATE TABLE marketing_offers (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint REFERENCES users ON DELETE CASCADE,   -- NULL: for everybody
    title       text NOT NULL,
    description text NOT NULL,
    image_url   text,
    valid_until timestamptz NOT NULL,
    is_active   boolean NOT NULL DEFAULT true,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX marketing_offers_valid ON marketing_offers (valid_until) WHERE is_active;

CREATE FUNCTION offer_json(o marketing_offers) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', o.id, 'title', o.title, 'description', o.description, 'image_url', o.image_url,
                             'valid_until', iso(o.valid_until), 'is_active', o.is_active) $$;

CREATE TABLE faqs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    question   text NOT NULL,
    answer     text NOT NULL,
    category   text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION faq_json(f faqs) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('id', f.id, 'question', f.question, 'answer', f.answer, 'category', f.category) $$;

CREATE TABLE fcm_tokens (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    token       text NOT NULL,
    device_type text NOT NULL CHECK (device_type IN ('android', 'ios', 'web')),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX fcm_tokens_token ON fcm_tokens (md5(token));   -- a token may be longer than an index entry
CREATE INDEX fcm_tokens_user ON fcm_tokens (user_id);
