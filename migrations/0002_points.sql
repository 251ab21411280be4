-- Points: own accounts for everybody, referrals to their end, redemptions and vouchers, the referrers' board, the points ledger's lists.

-- Own accounts ------------------------------------------------------------------------------------

-- A new person's accounts: points and wallet. Everybody has both from his first moment, so that no posting has to open one on its way.
-- Whatever makes a person calls this in the same commit. Told to every process; returns their messages.
CREATE FUNCTION open_own_accounts(person bigint) RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    opened account;
BEGIN
    FOR opened IN
        INSERT INTO account (owner_user_id, kind, asset) VALUES (person, 'points', 'PTS'), (person, 'wallet', 'MONEY') RETURNING *
    LOOP
        PERFORM tell(account_message(opened));
        RETURN NEXT account_message(opened);
    END LOOP;
END $$;

-- Those who were there before wallets were.
INSERT INTO account (owner_user_id, kind, asset)
SELECT id, 'wallet', 'MONEY' FROM users u
WHERE u.status <> 'deleted' AND NOT EXISTS (SELECT FROM account a WHERE a.owner_user_id = u.id AND a.kind = 'wallet');

-- Referrals ------------------------------------------------------------------------------------

-- A referral is pending until the referred person has proved an identity. From then on the reward is owed (due_at), and stays owed
-- whatever dies: it is a row, settled by a posting that completes it in the same commit (domain/referral).
--
--     use_referral_code ──▶ pending ──identity_proved──▶ pending, due ──referral_complete, with its posting──▶ completed
--                              └── it was himself, or somebody rewarded before: the row is deleted
ALTER TABLE referrals
    ADD due_at            timestamptz,
    -- Of a sign-up that waits and is no user yet (referred_user_id NULL).
    ADD referred_username text,
    ADD referred_name     text;
CREATE INDEX referrals_due ON referrals (due_at) WHERE status = 'pending' AND due_at IS NOT NULL;
DROP INDEX referrals_referrer;
CREATE INDEX referrals_referrer ON referrals (referrer_id, created_at, id);

-- Which identities were ever proved, and by whom: a person who changes his address, or deletes his account and comes again, is still
-- the same person. Digests, keyed with a secret of ours: no address stands here, and none can be guessed from it.
CREATE TABLE identity_proofs (
    digest    bytea NOT NULL,               -- of kind and value
    user_id   bigint NOT NULL,
    proved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (digest, user_id)
);
CREATE INDEX identity_proofs_user ON identity_proofs (user_id);
INSERT INTO secret (name, value)
SELECT 'identity', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));

-- An e-mail address as one person has it: letter case and what follows a + in the local part make no other person.
CREATE FUNCTION mailbox_of(email text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT regexp_replace(lower(email), '^([^+@]+)\+[^@]*@', '\1@') $$;

CREATE FUNCTION identity_digest(kind text, value text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(s.value || convert_to($1 || ' ' || CASE $1 WHEN 'email' THEN mailbox_of($2) ELSE $2 END, 'UTF8'))
    FROM secret s WHERE s.name = 'identity' $$;

-- Are these two accounts one person? The same mailbox now, or an identity that both have proved at some time.
CREATE FUNCTION is_same_person(one bigint, other bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT one = other
        OR EXISTS (SELECT FROM users a JOIN users b ON mailbox_of(a.email) = mailbox_of(b.email) WHERE a.id = one AND b.id = other)
        OR EXISTS (SELECT FROM identity_proofs p JOIN identity_proofs q ON q.digest = p.digest
                   WHERE p.user_id = one AND q.user_id = other) $$;

-- As before (see the first migration), and: nobody is referred by himself; such a code is accepted and means nothing. With at_once the
-- reward is owed from now on, without proof (TALLY_OPEN). The caller settles it (referral_settle, domain/referral).
DROP FUNCTION use_referral_code(bigint, text);
CREATE FUNCTION use_referral_code(person bigint, code text, at_once boolean DEFAULT false) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    referrer users;
BEGIN
    SELECT * INTO referrer FROM users WHERE referral_code = upper(code) AND status = 'active' FOR NO KEY UPDATE;
    IF referrer.id IS NULL OR is_same_person(person, referrer.id) THEN
        RETURN NULL;
    END IF;
    INSERT INTO referrals (referrer_id, referred_user_id, code_used, due_at)
    VALUES (referrer.id, person, referrer.referral_code, CASE WHEN at_once THEN now() END);
    PERFORM tell(user_message(referrer));
    RETURN user_message(referrer);
END $$;

-- Whatever verifies an identity calls this in the same commit, after users shows it: kind is email, phone or google, value the address,
-- the digits or the subject. True: a referral is due now, to be settled after the commit. A referral that turns out to be the referrer
-- himself, or somebody who has been somebody's reward before, is taken back.
CREATE FUNCTION identity_proved(person bigint, kind text, value text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    waiting referrals;
BEGIN
    INSERT INTO identity_proofs (digest, user_id) VALUES (identity_digest(kind, value), person) ON CONFLICT DO NOTHING;
    SELECT * INTO waiting FROM referrals WHERE referred_user_id = person AND status = 'pending' AND due_at IS NULL FOR UPDATE;
    IF waiting.id IS NULL THEN
        RETURN false;
    END IF;
    -- Two accounts of one person that prove the same identity at the same moment: the second waits here and sees the first.
    PERFORM pg_advisory_xact_lock(1919247469, hashtext(identity_digest(kind, value)::text));
    IF is_same_person(person, waiting.referrer_id) OR EXISTS (
        SELECT FROM identity_proofs p JOIN identity_proofs q ON q.digest = p.digest
            JOIN referrals r ON r.referred_user_id = q.user_id AND (r.status = 'completed' OR r.due_at IS NOT NULL)
        WHERE p.user_id = person AND q.user_id <> person)
    THEN
        DELETE FROM referrals WHERE id = waiting.id;
        PERFORM tell(user_message(u)) FROM users u WHERE u.id = waiting.referrer_id;
        RETURN false;
    END IF;
    UPDATE referrals SET due_at = now() WHERE id = waiting.id;
    RETURN true;
END $$;

-- The referrers' board -----------------------------------------------------------------------------

-- Totals by referrer and period, kept with the postings that change them, so that the top is the beginning of an index however many
-- referrals there are. Of the last 30 days every single one is kept, too, and leaves the totals when its time is over: at the next
-- look, which thereby costs what has changed since the last one.
CREATE TABLE referral_totals (
    period    text NOT NULL CHECK (period IN ('all', 'month', 'week')),
    user_id   bigint NOT NULL,
    referrals bigint NOT NULL,
    points    bigint NOT NULL,
    PRIMARY KEY (period, user_id)
);
CREATE INDEX referral_totals_top ON referral_totals (period, referrals DESC, points DESC, user_id) WHERE referrals > 0;
CREATE TABLE referral_scores (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id   bigint NOT NULL,
    referrals bigint NOT NULL,              -- 1: completed one; 0: points of type referral that a service gave
    points    bigint NOT NULL,
    in_week   boolean NOT NULL DEFAULT true,
    scored_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX referral_scores_month ON referral_scores (scored_at);
CREATE INDEX referral_scores_week ON referral_scores (scored_at) WHERE in_week;

-- Rows are touched by ascending (period, user) everywhere, so that nobody waits for another in a circle.
CREATE FUNCTION referral_score(users bigint[], referrals bigint[], points bigint[]) RETURNS void LANGUAGE sql VOLATILE AS $$
    INSERT INTO referral_scores (user_id, referrals, points) SELECT * FROM unnest($1, $2, $3);
    INSERT INTO referral_totals AS t (period, user_id, referrals, points)
    SELECT p.period, s.id, sum(s.referrals), sum(s.points)
    FROM (VALUES ('all'), ('month'), ('week')) AS p (period), unnest($1, $2, $3) AS s (id, referrals, points)
    GROUP BY p.period, s.id ORDER BY p.period, s.id
    ON CONFLICT (period, user_id) DO UPDATE SET referrals = t.referrals + excluded.referrals, points = t.points + excluded.points;
$$;

-- Takes what is older than a period out of its totals.
CREATE FUNCTION referral_expire() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    gone record;
BEGIN
    -- The oldest of each, which is the beginning of an index; what is asked by EXISTS may be looked for all over the table.
    IF coalesce((SELECT scored_at FROM referral_scores WHERE in_week ORDER BY scored_at LIMIT 1) >= now() - interval '7 days', true)
        AND coalesce((SELECT scored_at FROM referral_scores ORDER BY scored_at LIMIT 1) >= now() - interval '30 days', true) THEN
        RETURN;
    END IF;
    FOR gone IN
        WITH month AS (
            DELETE FROM referral_scores WHERE scored_at < now() - interval '30 days' RETURNING *
        ), week AS (
            UPDATE referral_scores SET in_week = false
            WHERE in_week AND scored_at < now() - interval '7 days' AND scored_at >= now() - interval '30 days' RETURNING *
        ), past AS (
            SELECT 'month' AS period, user_id, referrals, points FROM month
            UNION ALL
            SELECT 'week', user_id, referrals, points FROM month WHERE in_week
            UNION ALL
            SELECT 'week', user_id, referrals, points FROM week
        )
        SELECT period, user_id, sum(referrals) AS referrals, sum(points) AS points
        FROM past GROUP BY period, user_id ORDER BY period, user_id
    LOOP
        UPDATE referral_totals t SET referrals = t.referrals - gone.referrals, points = t.points - gone.points
        WHERE t.period = gone.period AND t.user_id = gone.user_id;
        DELETE FROM referral_totals t
        WHERE t.period = gone.period AND t.user_id = gone.user_id AND t.referrals = 0 AND t.points = 0;
    END LOOP;
END $$;

-- The first of a period, as POINTS-05 shows them. A function of its own, because a statement would not see what expiring changes. The
-- settings keep the plan to walking the index from its top until there are enough, and to the indexes for what is over.
CREATE FUNCTION referral_board(wanted text, most bigint) RETURNS json LANGUAGE plpgsql VOLATILE
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off
    SET jit = off AS $$
BEGIN
    PERFORM referral_expire();
    RETURN (
        SELECT coalesce(json_agg(json_build_object('userId', pid('u', b.user_id), 'name', b.name, 'avatar', b.avatar_url,
                                                   'referrals', b.referrals, 'pointsEarned', b.points)), '[]')
        FROM (SELECT t.user_id, user_name(u) AS name, u.avatar_url, t.referrals, t.points
              FROM referral_totals t JOIN users u ON u.id = t.user_id AND u.status <> 'deleted'
              WHERE t.period = wanted AND t.referrals > 0
              ORDER BY t.referrals DESC, t.points DESC, t.user_id LIMIT most) AS b);
END $$;

-- Completes referrals with the postings that reward them (NULL: nothing was to be paid); an error ends the posting whose referral is not
-- pending any more.
CREATE FUNCTION referral_complete(postings bigint[], referrals bigint[], points bigint[]) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    referrers bigint[];
    earned bigint[];
BEGIN
    WITH completed AS (
        UPDATE referrals r SET status = 'completed', posting = n.posting, points_earned = n.points, completed_at = now(), due_at = NULL
        FROM unnest($1, $2, $3) AS n (posting, id, points) WHERE r.id = n.id AND r.status = 'pending'
        RETURNING r.referrer_id, r.points_earned
    )
    SELECT array_agg(referrer_id), array_agg(points_earned) INTO referrers, earned FROM completed;
    IF coalesce(cardinality(referrers), 0) <> cardinality($2) THEN
        RAISE EXCEPTION 'referral: % of % were pending', coalesce(cardinality(referrers), 0), cardinality($2) USING ERRCODE = 'TL002';
    END IF;
    PERFORM referral_score(referrers, array_fill(1::bigint, ARRAY[cardinality(referrers)]), earned);
END $$;

-- The board from its sources: for what was written past referral_complete, in bulk.
CREATE FUNCTION referral_rebuild() RETURNS void LANGUAGE sql VOLATILE AS $$
    LOCK TABLE referral_totals, referral_scores IN EXCLUSIVE MODE;
    DELETE FROM referral_totals;
    DELETE FROM referral_scores;
    INSERT INTO referral_scores (user_id, referrals, points, in_week, scored_at)
    SELECT referrer_id, 1, points_earned, completed_at >= now() - interval '7 days', completed_at
    FROM referrals WHERE status = 'completed' AND completed_at >= now() - interval '30 days';
    INSERT INTO referral_scores (user_id, referrals, points, in_week, scored_at)
    SELECT a.owner_user_id, 0, t.amount, t.created_at >= now() - interval '7 days', t.created_at
    FROM transfer t JOIN account a ON a.id = t.credit
    WHERE t.kind = 'points.referral' AND t.created_at >= now() - interval '30 days'
        AND NOT EXISTS (SELECT FROM referrals r WHERE r.posting = t.posting);
    INSERT INTO referral_totals (period, user_id, referrals, points)
    SELECT period, user_id, sum(referrals), sum(points) FROM (
        SELECT 'all' AS period, referrer_id AS user_id, 1 AS referrals, points_earned AS points FROM referrals WHERE status = 'completed'
        UNION ALL
        SELECT 'all', a.owner_user_id, 0, t.amount FROM transfer t JOIN account a ON a.id = t.credit
        WHERE t.kind = 'points.referral' AND NOT EXISTS (SELECT FROM referrals r WHERE r.posting = t.posting)
        UNION ALL
        SELECT 'month', user_id, referrals, points FROM referral_scores
        UNION ALL
        SELECT 'week', user_id, referrals, points FROM referral_scores WHERE in_week) AS scores
    GROUP BY period, user_id;
$$;
SELECT referral_rebuild();

-- Redemptions and vouchers -------------------------------------------------------------------------

-- promo: credited to a wallet once per user, at most usage_limit times; discount: owned, single-use, paid for with points.
CREATE SEQUENCE voucher_id;
CREATE TABLE vouchers (
    id            bigint PRIMARY KEY DEFAULT nextval('voucher_id'),
    code          text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('promo', 'discount')),
    owner_user_id bigint,
    amount        bigint NOT NULL CHECK (amount > 0),
    usage_limit   int CHECK (usage_limit > 0),
    used_count    int NOT NULL DEFAULT 0,
    valid_until   timestamptz,
    description   text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CHECK (used_count >= 0 AND (usage_limit IS NULL OR used_count <= usage_limit))
);
CREATE UNIQUE INDEX vouchers_code ON vouchers (upper(code));

CREATE TABLE voucher_redemptions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    voucher_id bigint NOT NULL REFERENCES vouchers,
    user_id    bigint,                      -- NULL: a sale without a customer
    amount     bigint NOT NULL CHECK (amount > 0),
    posting    bigint,
    sale_id    bigint,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- Into a wallet a voucher goes once per user; whatever uses one counts it in vouchers.used_count in the same commit.
CREATE UNIQUE INDEX voucher_redemptions_once ON voucher_redemptions (voucher_id, user_id) WHERE sale_id IS NULL;

-- Written with the posting that takes the points (its id is `posting`). No foreign keys, as in transfer: they would look up again, row
-- by row, what the posting has just decided; `tallyd audit` checks them.
CREATE TABLE point_redemptions (
    posting             bigint PRIMARY KEY,
    user_id             bigint NOT NULL,
    points              bigint NOT NULL CHECK (points > 0),
    purpose             text NOT NULL CHECK (purpose IN ('discount_code', 'wallet_credit')),
    credit_amount       bigint NOT NULL CHECK (credit_amount > 0),
    currency            text NOT NULL,
    voucher_id          bigint,
    purchase_request_id text,
    created_at          timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX point_redemptions_purchase ON point_redemptions (user_id, purchase_request_id)
    WHERE purchase_request_id IS NOT NULL;

-- What a service has reported with a reference is minted once for it (POINTS-20).
CREATE TABLE point_references (
    api_key_id     bigint NOT NULL,
    type           text NOT NULL,
    reference_type text NOT NULL,           -- '' when it was not sent
    reference_id   text NOT NULL,
    posting        bigint NOT NULL,
    PRIMARY KEY (api_key_id, type, reference_type, reference_id)
);

-- The points ledger --------------------------------------------------------------------------------

-- For the filters by type and time: everything they look at stands in the index, so that finding or counting among a million costs no
-- visit to the rows. Without filters the version is the place in the list, and needs no index of its own.
CREATE INDEX transfer_points_credit ON transfer (credit, created_at, credit_version, kind)
    WHERE kind LIKE 'points.%' AND credit_version IS NOT NULL;
CREATE INDEX transfer_points_debit ON transfer (debit, created_at, debit_version, kind)
    WHERE kind LIKE 'points.%' AND debit_version IS NOT NULL;

-- What a client sees as the type; points taken back with a purchase are a purchase with a negative amount.
CREATE FUNCTION point_type(kind text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT CASE kind WHEN 'points.purchase_return' THEN 'purchase' ELSE substr(kind, 8) END $$;

-- PointTransaction as every reply shows it, seen from the user's points account. (domain/points/transaction.c writes the same of a
-- posting that has just been made.)
CREATE FUNCTION point_transaction(t transfer, account bigint, person bigint) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object(
        'id', pid('t', t.id), 'userId', pid('u', person), 'type', point_type(t.kind),
        'amount', CASE WHEN t.credit = account THEN t.amount ELSE -t.amount END,
        'balanceAfter', CASE WHEN t.credit = account THEN t.credit_after ELSE t.debit_after END,
        'description', t.memo, 'referenceType', t.reference_type, 'referenceId', t.reference_id,
        'metadata', coalesce(t.metadata, '{}'), 'createdAt', iso(t.created_at)) $$;

-- Levels -------------------------------------------------------------------------------------------

-- Replaces all levels; the message that tells every process, and is the same as what was written. One after the other: the last one
-- that commits is the last one told.
CREATE FUNCTION set_levels(levels jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    message jsonb;
BEGIN
    LOCK TABLE level_configs IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM level_configs;
    INSERT INTO level_configs (name, tier, min_points, perks)
    SELECT l.value->>'name', (l.value->>'tier')::numeric::int, (l.value->>'minPoints')::numeric::bigint, coalesce(l.value->'perks', '[]')
    FROM jsonb_array_elements(levels) AS l;
    SELECT jsonb_build_object('t', 'levels', 'levels', jsonb_agg(
        jsonb_build_object('name', name, 'tier', tier, 'minPoints', min_points, 'perks', perks) ORDER BY tier))
    INTO message FROM level_configs;
    PERFORM tell(message);
    RETURN message;
END $$;
