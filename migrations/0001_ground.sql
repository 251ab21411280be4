-- The ground: secrets, people, sign-in, the ledger, events, mail.
-- Conventions: money in minor units (bigint), points whole, times timestamptz, ids bigint. What a client sees as an id is a
-- keyed permutation of the row's id, made in the server (domain/pid); in SQL results a public id is written by pid().

-- Keys that belong to the data: made once here, read at start, never leave the server.
CREATE TABLE secret (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);
-- gen_random_uuid() is PostgreSQL's own cryptographic randomness (122 bits each).
INSERT INTO secret (name, value)
SELECT 'public-id', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- How SQL writes a public id into its JSON: the server replaces the mark, kind and number by 24 hexadecimal characters before the
-- reply leaves. U+FDD0 and U+FDD1 are noncharacters, which no input of ours may contain.
CREATE FUNCTION pid(kind text, id bigint) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT U&'\FDD0' || kind || id || U&'\FDD1' $$;

-- A time as every reply shows it. STABLE, like what it is made of: declared otherwise, it could not be inlined, and would be
-- parsed and planned anew in every statement that uses it.
CREATE FUNCTION iso(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

-- Minor units as a JSON number: 50000 is 500, 320 is 3.2. (Not "money": PostgreSQL has a cast of that name, which wins.)
CREATE FUNCTION amount_of(minor bigint) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT trim_scale(minor::numeric / 100) $$;

-- Microseconds since 1970, as the server counts time.
CREATE FUNCTION micros(t timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS
    $$ SELECT (extract(epoch FROM t) * 1000000)::bigint $$;

-- Tells every process, at commit and in commit order, what has changed. Nothing is stored: see db/stream.h.
CREATE PUBLICATION tally;
CREATE FUNCTION tell(message jsonb) RETURNS void LANGUAGE sql VOLATILE AS
    $$ SELECT pg_logical_emit_message(true, 'tally', message::text) $$;

-- People ----------------------------------------------------------------------------------------

CREATE TABLE users (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username          text NOT NULL CHECK (username !~ '^[0-9]+$' AND username !~* '^[0-9a-f]{24}$'),
    email             text,                 -- lower case
    email_verified_at timestamptz,
    phone             text UNIQUE,          -- digits only
    phone_verified_at timestamptz,
    first_name        text NOT NULL,
    last_name         text NOT NULL DEFAULT '',
    avatar_url        text,
    avatar_key        text,
    agent             boolean NOT NULL DEFAULT false,
    is_admin          boolean NOT NULL DEFAULT false,
    is_system         boolean NOT NULL DEFAULT false,
    status            text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled', 'deleted')),
    referral_code     text,                 -- upper case
    -- Tokens issued before this moment are void: a password change, a disabling.
    tokens_from       timestamptz NOT NULL DEFAULT 'epoch',
    -- The newest number of the user's inbox; counted under this row's lock.
    inbox_seq         bigint NOT NULL DEFAULT 0,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX users_username ON users (lower(username));
CREATE UNIQUE INDEX users_email ON users (email);
CREATE UNIQUE INDEX users_referral_code ON users (referral_code);

CREATE FUNCTION user_name(u users) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT rtrim(u.first_name || ' ' || u.last_name) $$;

CREATE TABLE user_credentials (
    user_id       bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    password_hash text NOT NULL,
    changed_at    timestamptz NOT NULL DEFAULT now()
);

-- Issued tokens. A token is good while its row is not revoked; the server keeps the revoked ones in memory.
CREATE TABLE sessions (
    jti        text PRIMARY KEY,            -- 24 hexadecimal characters
    user_id    bigint REFERENCES users ON DELETE CASCADE,
    staff_id   bigint,
    realm      text NOT NULL DEFAULT 'customer' CHECK (realm IN ('customer', 'staff')),
    surface    text NOT NULL,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_revoked ON sessions (expires_at) WHERE revoked_at IS NOT NULL;

-- The name of a new session. It begins with the moment of issue by the database's clock (microseconds, 14 hex digits), so that
-- "issued before the password changed" can be told from the token alone.
CREATE FUNCTION new_jti() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT lpad(to_hex(micros(now())), 14, '0')
        || substr(replace(gen_random_uuid()::text, '-', ''), 1, 10) $$;

-- Links and codes that work once. Only a hash of the secret part is kept.
CREATE TABLE one_time_tokens (
    token_hash bytea PRIMARY KEY,           -- SHA-256
    kind       text NOT NULL CHECK (kind IN ('VERIFY_EMAIL', 'RESET_PWD', 'FINTECH_RESET')),
    user_id    bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    email      text,                        -- the address it was sent to: a changed address voids it
    attempts   int NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id, kind);

-- Counted for all processes together: failed log-ins, registrations, requests for codes.
CREATE TABLE attempts (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    target     text NOT NULL,               -- an address, an account, or both
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX attempts_recent ON attempts (kind, target, created_at);

-- Seconds until one more attempt of this kind on this target is free, when `most` are within the time; 0: it is free now.
CREATE FUNCTION attempt_wait(kind text, target text, most int, within interval) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT greatest(1, ceil(extract(epoch FROM a.created_at + $4 - now())))::int
                     FROM attempts a WHERE a.kind = $1 AND a.target = $2 AND a.created_at > now() - $4
                     ORDER BY a.created_at DESC OFFSET $3 - 1 LIMIT 1), 0) $$;

-- The same, and counts the attempt when it is free; two at the same moment are looked at one after the other.
CREATE FUNCTION attempt_count(kind text, target text, most int, within interval) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    wait int;
BEGIN
    PERFORM pg_advisory_xact_lock(1635021936, hashtext($1 || ' ' || $2));
    wait := attempt_wait($1, $2, $3, $4);
    IF wait = 0 THEN
        INSERT INTO attempts (kind, target) VALUES ($1, $2);
    END IF;
    RETURN wait;
END $$;

CREATE TABLE api_keys (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    holder       text NOT NULL,
    key_hash     bytea NOT NULL,            -- SHA-256 of a key of 256 random bits
    scopes       text[] NOT NULL,
    is_active    boolean NOT NULL DEFAULT true,
    last_used_at timestamptz,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX api_keys_holder ON api_keys (lower(holder));

CREATE TABLE referrals (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    referrer_id       bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    referred_user_id  bigint UNIQUE REFERENCES users ON DELETE CASCADE,
    code_used         text NOT NULL,
    status            text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed')),
    points_earned     bigint NOT NULL DEFAULT 0,
    posting           bigint,
    created_at        timestamptz NOT NULL DEFAULT now(),
    completed_at      timestamptz
);
CREATE INDEX referrals_referrer ON referrals (referrer_id);

-- What every process keeps in memory of a user, as a message of the change stream.
CREATE FUNCTION user_message(u users) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('t', 'user', 'id', u.id, 'username', u.username, 'name', user_name(u), 'email', u.email,
        'admin', u.is_admin, 'system', u.is_system, 'agent', u.agent, 'active', u.status = 'active',
        'tokensFrom', micros(u.tokens_from), 'inbox', u.inbox_seq, 'referral', u.referral_code,
        'referrals', (SELECT count(*) FROM referrals r WHERE r.referrer_id = u.id)) $$;

-- The ledger --------------------------------------------------------------------------------------

CREATE SEQUENCE account_id;
-- Processes take transfer ids in blocks, so that a batch knows its ids before it is sent.
CREATE SEQUENCE transfer_id INCREMENT BY 4096;

-- Types, not CHECKs: a CHECK is read from the catalogue again by every statement that writes the table, and looked at for every row.
CREATE TYPE account_kind AS ENUM ('bank', 'atm', 'wallet', 'points', 'reward_points', 'system', 'pos');
CREATE TYPE account_status AS ENUM ('active', 'frozen', 'closed');
CREATE TYPE asset AS ENUM ('MONEY', 'PTS', 'RWD');

-- A place where value lies. `balance` is credits less debits of its transfers and `version` their number, at every commit.
-- Unbounded accounts (the other side of money that enters or leaves) are neither locked nor carry a running balance.
-- Only balance, version, lifetime, alerted, updated_at and status change, none is indexed: updates stay in the page (HOT). No fillfactor:
-- below 100, PostgreSQL prunes a page as soon as less than that share is free, at nearly every visit (8 % of its work, measured).
CREATE TABLE account (
    id            bigint PRIMARY KEY DEFAULT nextval('account_id'),
    owner_user_id bigint REFERENCES users,
    kind          account_kind NOT NULL,
    code          text UNIQUE,
    asset         asset NOT NULL,
    status        account_status NOT NULL DEFAULT 'active',
    card_last4    text,
    unbounded     boolean NOT NULL DEFAULT false,
    balance       bigint NOT NULL DEFAULT 0 CHECK (balance >= 0),
    version       bigint NOT NULL DEFAULT 0,
    lifetime      bigint NOT NULL DEFAULT 0,   -- points ever earned
    alerted       bigint NOT NULL DEFAULT 0,   -- the owner has been told by mail of the transfers up to this version
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX account_owner ON account (owner_user_id) WHERE owner_user_id IS NOT NULL;
CREATE UNIQUE INDEX account_single ON account (owner_user_id, kind) WHERE kind IN ('atm', 'wallet', 'points');

INSERT INTO account (kind, code, asset, unbounded)
SELECT 'system', code, asset::asset, true
FROM (VALUES ('treasury', 'MONEY'), ('points-issuer', 'PTS'), ('rewards-expense', 'MONEY'), ('rewards-issuer', 'RWD'),
             ('game', 'MONEY'), ('timed-reward', 'MONEY'), ('payment-clearing', 'MONEY'), ('payout-clearing', 'MONEY'),
             ('purchases', 'MONEY'), ('vouchers', 'MONEY'), ('closed-accounts', 'MONEY'), ('closed-points', 'PTS')) AS v (code, asset);

CREATE FUNCTION account_message(a account) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('t', 'account', 'id', a.id, 'owner', a.owner_user_id, 'kind', a.kind, 'code', a.code, 'asset', a.asset,
        'status', a.status, 'unbounded', a.unbounded, 'balance', a.balance, 'version', a.version, 'lifetime', a.lifetime,
        'created', micros(a.created_at), 'updated', micros(a.updated_at)) $$;

-- A further bank account of a user, or NULL when he has 100. Counted under the user's row lock.
CREATE FUNCTION open_bank_account(owner bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    opened account;
BEGIN
    PERFORM FROM users WHERE id = owner FOR NO KEY UPDATE;
    IF (SELECT count(*) FROM account WHERE owner_user_id = owner AND kind = 'bank') >= 100 THEN
        RETURN NULL;
    END IF;
    INSERT INTO account (owner_user_id, kind, asset, card_last4)
    VALUES (owner, 'bank', 'MONEY', lpad(floor(random() * 10000)::int::text, 4, '0'))
    RETURNING * INTO opened;
    PERFORM tell(account_message(opened));
    RETURN account_message(opened);
END $$;

-- Value that moved, once and for ever: rows are never updated or deleted. The legs of one posting share `posting`, the id of its
-- first transfer, which carries the idempotency key. `debit_after` and `debit_version` are the debit account's balance and
-- version after it, NULL on an unbounded side; the unique indexes on (account, version) are the history, the replay, and
-- the proof that there is no gap. No foreign keys to account: they would lock each account row a second time;
-- `tallyd audit` checks what they would.
CREATE TABLE transfer (
    id             bigint PRIMARY KEY,
    posting        bigint NOT NULL,
    kind           text NOT NULL,
    debit          bigint NOT NULL,
    credit         bigint NOT NULL,
    amount         bigint NOT NULL,
    debit_after    bigint,
    debit_version  bigint,
    credit_after   bigint,
    credit_version bigint,
    lifetime_after bigint,                  -- of the points account it touches
    actor_user_id  bigint,
    idem           uuid,                    -- of (scope, key): 128 bits of a SHA-256, the only index on the key
    idem_key       text,                    -- as the client sent it
    request_hash   bigint,                  -- of what the request asked for: the same key with another one is a conflict
    memo           text,
    reference_type text,
    reference_id   text,
    metadata       jsonb,
    created_at     timestamptz NOT NULL DEFAULT now(),
    CHECK (amount > 0 AND debit <> credit)
);
CREATE UNIQUE INDEX transfer_debit ON transfer (debit, debit_version) WHERE debit_version IS NOT NULL;
CREATE UNIQUE INDEX transfer_credit ON transfer (credit, credit_version) WHERE credit_version IS NOT NULL;
CREATE UNIQUE INDEX transfer_idem ON transfer (idem) WHERE idem IS NOT NULL;

-- Ends a batch whose picture of the accounts was out of date: nothing of it happens, and it is decided anew under locks.
CREATE FUNCTION ledger_expect(met bigint, expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF met <> expected THEN
        RAISE EXCEPTION 'ledger: % of % accounts as expected', met, expected USING ERRCODE = 'TL001';
    END IF;
END $$;

-- How a transfer changes the lifetime points of the account on its credit or debit side, in times of its amount. The rules have it in
-- C (transfer_lifetime_credit, transfer_lifetime_debit); the audit reads it here, and a test holds one against the other.
CREATE FUNCTION lifetime_credit(kind text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT CASE WHEN kind IN ('points.earn', 'points.referral', 'points.purchase', 'points.review', 'points.admin_grant',
                                 'rewards.earn') THEN 1 ELSE 0 END $$;
CREATE FUNCTION lifetime_debit(kind text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT CASE WHEN kind = 'points.purchase_return' THEN -1 ELSE 0 END $$;

-- Events that are no transfer --------------------------------------------------------------------

CREATE TABLE inbox (
    user_id    bigint NOT NULL,
    seq        bigint NOT NULL,
    type       text NOT NULL,
    data       jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, seq)
);

-- Points ------------------------------------------------------------------------------------------

CREATE TABLE level_configs (
    id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    tier       int NOT NULL UNIQUE,
    min_points bigint NOT NULL UNIQUE CHECK (min_points >= 0),
    perks      jsonb NOT NULL DEFAULT '[]'
);
INSERT INTO level_configs (name, tier, min_points)
VALUES ('bronze', 1, 0), ('silver', 2, 1000), ('gold', 3, 2500), ('platinum', 4, 5000);

-- Outbound ------------------------------------------------------------------------------------------

CREATE TABLE mail_outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    to_address  text NOT NULL,
    subject     text NOT NULL,
    body        text NOT NULL,
    html        text,
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'given_up')),
    attempts    int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_outbox_due ON mail_outbox (next_try_at) WHERE status = 'waiting';

-- Names for people who do not choose one -------------------------------------------------------------

-- From an e-mail's local part, with a number when taken; never all digits, never 24 hexadecimal characters. Two sign-ups at the same
-- moment may still get the same: the unique index decides, and the caller tries again.
CREATE FUNCTION free_username(wanted text) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    base text := left(lower(regexp_replace(split_part(wanted, '@', 1), '[^A-Za-z0-9._-]', '', 'g')), 40);
    candidate text;
BEGIN
    IF base ~ '^[0-9]*$' OR base ~ '^[0-9a-f]{24}$' THEN
        base := 'user' || base;
    END IF;
    FOR i IN 0..20 LOOP
        candidate := base || CASE WHEN i = 0 THEN '' WHEN i < 4 THEN (i + 1)::text
                                  ELSE floor(random() * power(10, least(i, 15)))::bigint::text END;
        IF candidate !~ '^[0-9a-f]{24}$' AND NOT EXISTS (SELECT FROM users WHERE lower(username) = candidate) THEN
            RETURN candidate;
        END IF;
    END LOOP;
    RETURN 'user' || replace(gen_random_uuid()::text, '-', '');
END $$;

-- Eight characters of A–Z and 0–9; the unique index decides about the one in 10^12.
CREATE FUNCTION new_referral_code() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT string_agg(substr('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', 1 + get_byte(sha256(uuid_send(gen_random_uuid())), 0) % 36, 1), '')
    FROM generate_series(1, 8) $$;

-- Notes that a new person came by somebody's code, and tells the processes of the owner's new count; the owner's message, or NULL when
-- nobody has the code (any more). The owner's row is locked: of two at the same moment the second counts both.
CREATE FUNCTION use_referral_code(person bigint, code text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    referrer users;
BEGIN
    SELECT * INTO referrer FROM users WHERE referral_code = upper(code) AND status = 'active' FOR NO KEY UPDATE;
    IF referrer.id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO referrals (referrer_id, referred_user_id, code_used) VALUES (referrer.id, person, referrer.referral_code);
    PERFORM tell(user_message(referrer));
    RETURN user_message(referrer);
END $$;
