-- As write_plain.sql, for a batch of one transfer between two ordinary accounts: what a client waits for when he is alone. Without arrays
-- it is two thirds of the work.
-- Params: $1 debit account, $2 balance, $3 version, $4 lifetime before; $5 balance, $6 lifetime after; $7 … $12 the same of the credit
--         account; $13 id, $14 kind, $15 amount, $16 lifetime_after, $17 actor_user_id, $18 idem, $19 idem_key, $20 request_hash;
--         $21 the encoded transfer; $22 the open generation of the keys, $23 what must not be there of closed ones. Row: created_us.
WITH moved AS (
    UPDATE account
    SET balance = CASE WHEN id = $1::bigint THEN $5::bigint ELSE $11::bigint END, version = version + 1,
        lifetime = CASE WHEN id = $1 THEN $6::bigint ELSE $12::bigint END, updated_at = now()
    WHERE id = ANY (ARRAY[$1, $7::bigint]) AND version = CASE WHEN id = $1 THEN $3::bigint ELSE $9::bigint END
        AND balance = CASE WHEN id = $1 THEN $2::bigint ELSE $8::bigint END
        AND lifetime = CASE WHEN id = $1 THEN $4::bigint ELSE $10::bigint END AND status = 'active' AND NOT unbounded
    RETURNING 1
), checked AS MATERIALIZED (
    SELECT CASE WHEN accounts <> 2 THEN ledger_expect(accounts, 2) END, ledger_keys($22::int, $23::uuid[])
    FROM (SELECT count(*) AS accounts FROM moved) AS counted
), written AS (
    INSERT INTO transfer (id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version,
                          lifetime_after, actor_user_id, idem, idem_key, request_hash)
    SELECT $13::bigint, $13, $14::text, $1, $7, $15::bigint, $5, $3 + 1, $11, $9 + 1,
        $16::bigint, $17::bigint, $18::uuid, $19::text, $20::bigint
    FROM checked
)
SELECT micros(now()), pg_logical_emit_message(true, 'tally', 'L'::bytea || int8send(micros(now())) || $21::bytea)
FROM checked
