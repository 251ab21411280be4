-- Idempotency keys are kept for good, and a hash of each lies in a unique index. Every new one would be written to a leaf of it that
-- nobody has touched for long: with ten million keys that was a quarter of what a transfer cost, and a page more in the log after
-- each checkpoint. So keys are divided by age: the first three bytes of transfer.idem are the number of a generation, which orders
-- the index by time, and one generation at a time is open. Its keys are unique by the index. That a key was not used in a closed one
-- is known to each process by a filter in memory; where that says "perhaps", the batch that writes the key looks it up.
--
-- Whoever writes or looks up keys holds the open generation until his transaction ends (ledger_keys). Closing it waits for all of
-- them, so nothing is added to a closed generation, and whoever knows its number sees everything in it.
CREATE TABLE key_generation (
    number    int PRIMARY KEY CHECK (number BETWEEN 0 AND 16777214),
    from_id   bigint NOT NULL,   -- the newest block of transfer ids when it was opened
    closed_at timestamptz,
    filter    bytea              -- of the keys of a closed one (core/bloom.h), once a process has made it
);
ALTER TABLE key_generation ALTER filter SET STORAGE EXTERNAL;   -- it does not compress
INSERT INTO key_generation (number, from_id) VALUES (0, 0);

-- Under which value a key (16 bytes or more of SHA-256(scope, 0, key), the first three unused) is stored in a generation.
CREATE FUNCTION key_idem(generation int, key bytea) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$ SELECT encode(substr(int4send(generation), 2) || substr(key, 4, 13), 'hex')::uuid $$;

UPDATE transfer SET idem = key_idem(0, uuid_send(idem)) WHERE idem IS NOT NULL;

-- Holds the generation, which must be the open one (else TL004), until the end of the transaction; none of `old`, keys as they would
-- be stored in closed ones, may have been used (else TL005). Each statement of it sees what was committed before it, also what this
-- transaction has waited for: therefore plpgsql.
CREATE FUNCTION ledger_keys(generation int, old uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7019267136);
    IF NOT EXISTS (SELECT FROM key_generation WHERE number = generation AND closed_at IS NULL) THEN
        RAISE EXCEPTION 'ledger: generation % of the keys is closed', generation USING ERRCODE = 'TL004';
    END IF;
    IF cardinality(old) > 0 AND EXISTS (SELECT FROM transfer WHERE idem = ANY (old)) THEN
        RAISE EXCEPTION 'ledger: a key was used in an older generation' USING ERRCODE = 'TL005';
    END IF;
END $$;

-- Closes the open generation if it is this one, and opens the next. False: it was closed already, or somebody holds it for long; the
-- short wait for him also ends a circle of him waiting for somebody who waits for us.
CREATE FUNCTION close_key_generation(was int) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '50ms' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7019267136);
    UPDATE key_generation SET closed_at = clock_timestamp() WHERE number = was AND closed_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO key_generation (number, from_id) SELECT was + 1, last_value FROM transfer_id;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;
