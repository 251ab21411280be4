-- A batch, in one statement: fewer statements are what a small batch gains most from.
--
-- moved: one row an account however many transfers touched it. Every account must be exactly as the batch found it, else
-- ledger_expect ends the transaction with TL001. The ids are sorted, and the session's settings make this a nested loop in
-- their order (domain/ledger/batcher.c): that is the order in which all processes lock accounts, so that none waits for
-- another in a circle.
-- written: the transfers, after the check. Their order is that of the idempotency keys, so that two processes that were given
-- the same keys wait for each other in one direction only. The nil uuid stands for none.
-- Both take numbers out of their arrays by subscript, a twelfth of a batch's work less than unnest; texts by unnest, since the
-- subscript of a text array looks at all texts before it.
-- The row tells the time they carry; with it the message leaves that tells every process (see event.h).
--
-- Params: $1 ids, $2 balances, $3 versions, $4 lifetimes before; $5 balances, $6 versions, $7 lifetimes after;
--         $8 ids of the unbounded accounts that take part; $9 how many accounts that is together;
--         $10 id, $11 posting, $12 kind, $13 debit, $14 credit, $15 amount, $16 debit_after, $17 debit_version, $18 credit_after,
--         $19 credit_version, $20 lifetime_after, $21 actor_user_id, $22 idem, $23 idem_key, $24 request_hash, arrays of one length;
--         $25 the encoded transfers; $26 memo, $27 reference_type, $28 reference_id, $29 metadata;
--         $30 the open generation of the keys, $31 what must not be there of closed ones. Row: created_us.
WITH moved AS (
    UPDATE account AS a
    SET balance = ($5::bigint[])[i], version = ($6::bigint[])[i], lifetime = ($7::bigint[])[i], updated_at = now()
    FROM (SELECT id, i::int AS i FROM unnest($1::bigint[]) WITH ORDINALITY AS t (id, i) OFFSET 0) AS n
    WHERE a.id = n.id AND a.version = ($3::bigint[])[i] AND a.balance = ($2::bigint[])[i]
        AND a.lifetime = ($4::bigint[])[i] AND a.status = 'active' AND NOT a.unbounded
    RETURNING 1
), counted AS MATERIALIZED (
    SELECT (SELECT count(*) FROM moved)
        + CASE WHEN cardinality($8::bigint[]) = 0 THEN 0 ELSE (
              SELECT count(*) FROM account WHERE id = ANY ($8::bigint[]) AND unbounded AND status = 'active') END AS accounts
), checked AS MATERIALIZED (
    SELECT CASE WHEN accounts <> $9::bigint THEN ledger_expect(accounts, $9::bigint) END, ledger_keys($30::int, $31::uuid[])
    FROM counted
), written AS (
    INSERT INTO transfer (id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version,
                          lifetime_after, actor_user_id, idem, idem_key, request_hash, memo, reference_type, reference_id, metadata)
    SELECT ($10::bigint[])[i], ($11::bigint[])[i], kind, ($13::bigint[])[i], ($14::bigint[])[i], ($15::bigint[])[i],
        ($16::bigint[])[i], ($17::bigint[])[i], ($18::bigint[])[i], ($19::bigint[])[i], ($20::bigint[])[i], ($21::bigint[])[i],
        nullif(($22::uuid[])[i], '00000000-0000-0000-0000-000000000000'), idem_key, ($24::bigint[])[i],
        memo, reference_type, reference_id, metadata::jsonb
    FROM checked, (
        SELECT kind, idem_key, memo, reference_type, reference_id, metadata, i::int AS i
        FROM unnest($12::text[], $23::text[], $26::text[], $27::text[], $28::text[], $29::text[])
            WITH ORDINALITY AS t (kind, idem_key, memo, reference_type, reference_id, metadata, i) OFFSET 0) AS t
)
SELECT micros(now()), pg_logical_emit_message(true, 'tally', 'L'::bytea || int8send(micros(now())) || $25::bytea)
FROM checked
