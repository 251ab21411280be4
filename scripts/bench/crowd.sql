-- A crowd beside the people of people.sql: users, each with points and one a member of the rewards, of whom the second half was
-- brought by the first tenth in the last 60 days, a few of these bringing far more than the others.
-- Variables: users. Prints the id of the members' first account (the others' follow) and the newest transfer's id.
BEGIN;
INSERT INTO users (username, email, email_verified_at, first_name, referral_code)
SELECT 'crowd-' || n, 'crowd-' || n || '@bench.example', now(), 'Crowd', 'CROWD' || n FROM generate_series(1, :users::int) n;
INSERT INTO account (owner_user_id, kind, asset)
SELECT id, 'points', 'PTS' FROM users WHERE username LIKE 'crowd-%' ORDER BY id;

INSERT INTO reward_members (member_id, name, email)
SELECT 'crowd-' || n, 'Crowd', 'crowd-' || n || '@bench.example' FROM generate_series(1, :users::int) n;
INSERT INTO account (member_id, kind, asset) SELECT id, 'reward_points', 'RWD' FROM reward_members ORDER BY id;
INSERT INTO reward_sums (kind, name, shard, points, count)
SELECT 'member', '', id % 16, 0, count(*) FROM reward_members GROUP BY id % 16;

CREATE TEMP TABLE brought AS
WITH crowd AS (SELECT min(id) AS first FROM users WHERE username LIKE 'crowd-%')
SELECT n, first + :users::int / 2 + n - 1 AS referred,
    first + floor(:users::int / 10 * power(n / (:users::int / 2 + 1.0), 3))::int AS referrer,
    now() - interval '60 days' * (n::bigint * 7919 % (:users::int / 2) / (:users::int / 2.0)) AS at
FROM crowd, generate_series(1, :users::int / 2) n;
INSERT INTO transfer (id, posting, kind, debit, credit, amount, credit_after, credit_version, lifetime_after, idem, request_hash,
    created_at)
SELECT t.newest + n, t.newest + n, 'points.referral', issuer.id, a.id, 100, 100 * nth, nth, 100 * nth,
    key_idem(0, uuid_send(gen_random_uuid())), 0, at
FROM (SELECT *, row_number() OVER (PARTITION BY referrer ORDER BY at, n) AS nth FROM brought) AS b
JOIN account a ON a.owner_user_id = b.referrer AND a.kind = 'points', account issuer, (SELECT max(id) AS newest FROM transfer) AS t
WHERE issuer.code = 'points-issuer' ORDER BY n;
INSERT INTO referrals (referrer_id, referred_user_id, code_used, status, points_earned, posting, completed_at, created_at)
SELECT referrer, referred, 'CROWD', 'completed', 100, newest - :users::int / 2 + n, at, at
FROM brought, (SELECT max(id) AS newest FROM transfer) AS t ORDER BY n;
UPDATE account a SET balance = 100 * b.count, lifetime = 100 * b.count, version = b.count
FROM (SELECT referrer, count(*) FROM brought GROUP BY referrer) AS b WHERE a.owner_user_id = b.referrer AND a.kind = 'points';
COMMIT;
SELECT (SELECT min(id) FROM account WHERE kind = 'reward_points'), (SELECT max(id) FROM transfer);
