-- The number of the open generation also as the value of a sequence (-1: none is open). A sequence is read as it is at that moment,
-- whatever the statement's snapshot, and without a query: every batch asks, and it was 3 % of a batch's work.
CREATE SEQUENCE key_generation_open MINVALUE -1;

-- At once, also if the transaction fails: then the value differs from the table's, and whoever asks is answered by the table. It never
-- says that a closed generation is open, because closing it ends after this.
CREATE FUNCTION tell_open_key_generation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setval('key_generation_open', coalesce((SELECT max(number) FROM key_generation WHERE closed_at IS NULL), -1));
    RETURN NULL;
END $$;
CREATE TRIGGER key_generation_open
    AFTER INSERT OR DELETE OR UPDATE OF number, closed_at ON key_generation
    FOR EACH STATEMENT EXECUTE FUNCTION tell_open_key_generation();
SELECT setval('key_generation_open', coalesce((SELECT max(number) FROM key_generation WHERE closed_at IS NULL), -1));

-- What was ledger_keys, where the sequence does not settle it.
ALTER FUNCTION ledger_keys(int, uuid[]) RENAME TO ledger_keys_asked;

-- Holds the generation, which must be the open one (else TL004), until the end of the transaction; none of `old`, keys as they would
-- be stored in closed ones, may have been used (else TL005). The lock comes first: whoever closes a generation holds it alone until he
-- has committed. Becomes a part of the statement that calls it.
CREATE FUNCTION ledger_keys(generation int, old uuid[]) RETURNS boolean LANGUAGE sql AS $$
    SELECT CASE WHEN pg_advisory_xact_lock_shared(7019267136) IS NULL
                     OR pg_sequence_last_value('key_generation_open') IS DISTINCT FROM generation OR cardinality(old) > 0
                THEN ledger_keys_asked(generation, old) IS NULL ELSE false END $$;
