-- Fills a freshly migrated database of tallyd with people, bank accounts and money, as registration, BANK-03
-- and BANK-07 would have left them. Prints each user's id and the jti of a session of a day.
-- Variables: users, accounts (of each user), funds (minor units in each account)
BEGIN;
INSERT INTO users (username, email, email_verified_at, first_name, referral_code)
SELECT 'bench-' || n, 'bench-' || n || '@bench.example', now(), 'Bench', new_referral_code()
FROM generate_series(1, :users) n;

INSERT INTO account (owner_user_id, kind, asset, card_last4, balance, version, alerted)
SELECT u.id, 'bank', 'MONEY', '0000', :funds, 1, 1 FROM users u, generate_series(1, :accounts) ORDER BY u.id;
INSERT INTO account (owner_user_id, kind, asset) SELECT id, 'points', 'PTS' FROM users ORDER BY id;

-- The sequence counts in blocks: it is moved behind the ids used here.
INSERT INTO transfer (id, posting, kind, debit, credit, amount, credit_after, credit_version,
                      idem, idem_key, request_hash)
SELECT a.id, a.id, 'bank.initial_funds', t.id, a.id, :funds, :funds, 1,
    key_idem(0, sha256('k0'::bytea || '\x00' || convert_to('funds-' || a.id, 'UTF8'))),
    'funds-' || a.id, hashint8extended(a.id, 0) & 9223372036854775807
FROM account a, account t WHERE a.kind = 'bank' AND t.code = 'treasury' ORDER BY a.id;

-- The first user is above all levels, so that a point granted to him is one event.
INSERT INTO transfer (id, posting, kind, debit, credit, amount, credit_after, credit_version, lifetime_after,
                      idem, idem_key, request_hash)
SELECT a.id, a.id, 'points.admin_grant', t.id, a.id, 10000, 10000, 1, 10000, key_idem(0, uuid_send(gen_random_uuid())), NULL, 0
FROM account a, account t
WHERE a.kind = 'points' AND a.owner_user_id = (SELECT min(id) FROM users) AND t.code = 'points-issuer';
UPDATE account SET balance = 10000, lifetime = 10000, version = 1
WHERE kind = 'points' AND owner_user_id = (SELECT min(id) FROM users);

SELECT setval('transfer_id', 1 + 4096 * (1 + max(id) / 4096), false) FROM transfer \g /dev/null

INSERT INTO sessions (jti, user_id, surface, expires_at)
SELECT lpad(to_hex(micros(now())), 14, '0') || substr(md5(id::text), 1, 10), id, 'bank', now() + interval '1 day'
FROM users ORDER BY id
RETURNING user_id, jti;
COMMIT;
VACUUM (ANALYZE) account, transfer, users, sessions;
