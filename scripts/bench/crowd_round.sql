-- After crowd.sql: in each of the rounds :first to :last every member earns 100 points, or in every fifth redeems 50 of them.
-- Variables: first, last (rounds), users, account (the members' first), before (the newest transfer's id before round 1)
WITH round AS (
    SELECT r, r % 5 = 0 AS redeems, 100 * (r - r / 5) AS earned, 50 * (r / 5) AS redeemed FROM generate_series(:first, :last) r
), step AS (
    SELECT *, :before::bigint + (r - 1) * :users::bigint + j + 1 AS id, :account::bigint + j AS member
    FROM round, generate_series(0, :users::int - 1) j
)
INSERT INTO transfer (id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version,
                      lifetime_after, idem, request_hash, metadata, created_at)
SELECT s.id, s.id, CASE WHEN redeems THEN 'rewards.redeem' ELSE 'rewards.earn' END,
    CASE WHEN redeems THEN member ELSE issuer.id END, CASE WHEN redeems THEN issuer.id ELSE member END,
    CASE WHEN redeems THEN 50 ELSE 100 END,
    CASE WHEN redeems THEN earned - redeemed END, CASE WHEN redeems THEN r END,
    CASE WHEN NOT redeems THEN earned - redeemed END, CASE WHEN NOT redeems THEN r END, earned,
    key_idem(0, uuid_send(gen_random_uuid())), 0,
    CASE WHEN redeems THEN jsonb_build_object('rewardType', ('{voucher,cashback,discount,gift_card}'::text[])[1 + j % 4])
         ELSE jsonb_build_object('category', 'category ' || (j + r) % 8, 'amount', 10000) END,
    now() - interval '90 days' * random()
FROM step s, account issuer WHERE issuer.code = 'rewards-issuer' ORDER BY s.id;
