-- The transfers of a batch. Their order is that of the idempotency keys, so that two processes that
-- were given the same keys wait for each other in one direction only. The nil uuid stands for none.
-- Params: $1 id, $2 posting, $3 kind, $4 debit, $5 credit, $6 amount, $7 debit_after, $8 debit_version, $9 credit_after,
--         $10 credit_version, $11 lifetime_after, $12 actor_user_id, $13 idem, $14 idem_key, $15 request_hash,
--         $16 memo, $17 reference_type, $18 reference_id, $19 metadata, arrays of one length.
INSERT INTO transfer (id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version,
                      lifetime_after, actor_user_id, idem, idem_key, request_hash, memo, reference_type, reference_id, metadata)
SELECT id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version, lifetime_after,
    actor, nullif(idem, '00000000-0000-0000-0000-000000000000'), idem_key, request_hash, memo, reference_type, reference_id,
    metadata::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
            $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::uuid[], $14::text[], $15::bigint[], $16::text[],
            $17::text[], $18::text[], $19::text[])
    AS t (id, posting, kind, debit, credit, amount, debit_after, debit_version, credit_after, credit_version, lifetime_after,
          actor, idem, idem_key, request_hash, memo, reference_type, reference_id, metadata)
