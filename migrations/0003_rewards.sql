-- Rewards: members, who are persons of their own with one account of points each, what they may redeem, and what the analytics add up.
-- An earning and a redemption are transfers and nothing else: what clients call a transaction's category and amount, or a redemption's
-- type, is the transfer's metadata. A second row for each would say the same twice, cost a third of the rate, and could differ.

CREATE TABLE reward_members (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member_id  text COLLATE "C" NOT NULL UNIQUE CHECK (member_id ~ '^[A-Za-z0-9._-]{1,64}$'),   -- chosen by the caller
    name       text NOT NULL,
    email      text COLLATE "C" NOT NULL UNIQUE,   -- lower case
    created_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE account ADD COLUMN member_id bigint REFERENCES reward_members;
CREATE UNIQUE INDEX account_member ON account (member_id) WHERE member_id IS NOT NULL;

CREATE OR REPLACE FUNCTION account_message(a account) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('t', 'account', 'id', a.id, 'owner', a.owner_user_id, 'kind', a.kind, 'code', a.code, 'asset', a.asset,
        'status', a.status, 'unbounded', a.unbounded, 'balance', a.balance, 'version', a.version, 'lifetime', a.lifetime,
        'created', micros(a.created_at), 'updated', micros(a.updated_at))
        || CASE WHEN a.member_id IS NULL THEN '{}'
                ELSE jsonb_build_object('member', (SELECT m.member_id FROM reward_members m WHERE m.id = a.member_id)) END $$;

-- What every member has earned and redeemed, newest first, over all members: for the administration's lists. It grows at two places
-- only, the ends of the two kinds, and no other transfer enters it.
CREATE INDEX transfer_rewards ON transfer (kind, created_at, id) WHERE kind IN ('rewards.earn', 'rewards.redeem');

-- How often a member has earned and redeemed, so that a page of his history can tell how many there are without counting them.
-- Changed in the posting, while its account is locked.
CREATE TABLE reward_counts (
    account     bigint PRIMARY KEY REFERENCES account,
    earnings    bigint NOT NULL DEFAULT 0,
    redemptions bigint NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- Running sums for the analytics: of earnings by category, of redemptions by reward type, and how many members there are. Changed in the
-- posting, too, once a batch. One row a name would be the row that all processes wait for: there are sixteen, and which one is
-- changed follows from the transfer's id, of which each process takes 4096 in a row.
CREATE TYPE reward_sum AS ENUM ('earn', 'redeem', 'member');
CREATE TABLE reward_sums (
    kind   reward_sum NOT NULL,
    name   text COLLATE "C" NOT NULL,
    shard  int NOT NULL,
    points bigint NOT NULL,
    count  bigint NOT NULL,
    PRIMARY KEY (kind, name, shard)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE FUNCTION reward_shard(transfer bigint) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT (transfer / 4096 % 16)::int $$;

-- What points may be redeemed for. Whoever changes the table tells every process.
CREATE TABLE reward_options (
    type        text PRIMARY KEY CHECK (type <> ''),
    name        text NOT NULL,
    description text NOT NULL,
    min_points  bigint NOT NULL CHECK (min_points >= 1),
    place       int NOT NULL                -- in the list
);
INSERT INTO reward_options (type, name, description, min_points, place)
VALUES ('voucher', 'Voucher', 'A voucher for a purchase', 100, 1),
       ('cashback', 'Cashback', 'Money back', 100, 2),
       ('discount', 'Discount', 'A discount on a purchase', 50, 3),
       ('gift_card', 'Gift card', 'A gift card', 100, 4);

-- As REW-06 shows them.
CREATE FUNCTION reward_options_json() RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('type', type, 'name', name, 'description', description, 'minPoints', min_points)
                             ORDER BY place, type), '[]')
    FROM reward_options $$;

CREATE FUNCTION reward_options_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tell(jsonb_build_object('t', 'rewardOptions', 'options', reward_options_json()));
    RETURN NULL;
END $$;
CREATE TRIGGER reward_options_changed AFTER INSERT OR UPDATE OR DELETE ON reward_options
    FOR EACH STATEMENT EXECUTE FUNCTION reward_options_changed();

-- A new member with an account: the account's message and the reply of REW-01. NULL when the id or the e-mail is taken.
CREATE FUNCTION open_member(wanted text, full_name text, address text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    made reward_members;
    opened account;
BEGIN
    INSERT INTO reward_members (member_id, name, email) VALUES (wanted, full_name, address)
    ON CONFLICT DO NOTHING RETURNING * INTO made;
    IF made.id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO account (member_id, kind, asset) VALUES (made.id, 'reward_points', 'RWD') RETURNING * INTO opened;
    INSERT INTO reward_counts (account) VALUES (opened.id);
    INSERT INTO reward_sums AS s (kind, name, shard, points, count) VALUES ('member', '', made.id % 16, 0, 1)
    ON CONFLICT (kind, name, shard) DO UPDATE SET count = s.count + 1;
    PERFORM tell(account_message(opened));
    RETURN jsonb_build_object('message', account_message(opened), 'reply', jsonb_build_object('id', made.member_id, 'name', made.name,
        'email', made.email, 'createdAt', iso(made.created_at), 'points', 0));
END $$;
