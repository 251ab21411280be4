-- What the spine needs beyond its first build.

-- How many transfers of each kind an account has, up to a version. Transfers are never updated or deleted, and an account's versions
-- become visible in their order, so what was counted once stays true: a list's total costs the transfers behind the mark, not all.
-- Whoever counts writes the mark further when it has fallen back (tally_of below says how).
CREATE TABLE transfer_tally (
    account bigint PRIMARY KEY,
    upto    bigint NOT NULL,                -- the version up to which is counted
    kinds   jsonb NOT NULL                  -- {"bank.transfer": {"n": 12, "own": 1}}
);

-- The tally of an account up to now: `n` transfers of a kind, of them `own` that came from another account of the same owner and kind,
-- which a list over all his accounts shows once only, as debits. `fresh` is how many lay behind the mark. The statement that counts
-- keeps the mark near, so that `fresh` stays small:
--     kept AS (INSERT INTO transfer_tally SELECT account, upto, kinds FROM tally WHERE fresh > 1000
--              ON CONFLICT (account) DO UPDATE SET upto = excluded.upto, kinds = excluded.kinds WHERE transfer_tally.upto < excluded.upto)
-- Not for unbounded accounts, whose transfers have no version.
CREATE FUNCTION tally_of(account bigint) RETURNS TABLE (account bigint, upto bigint, kinds jsonb, fresh bigint) LANGUAGE sql STABLE AS $$
    WITH mark AS (
        SELECT coalesce(max(m.upto), 0) AS upto, coalesce(max(m.kinds::text), '{}')::jsonb AS kinds
        FROM transfer_tally m WHERE m.account = $1
    ), side AS (
        SELECT t.kind, t.debit_version AS version, false AS own
        FROM transfer t WHERE t.debit = $1 AND t.debit_version > (SELECT upto FROM mark)
        UNION ALL
        SELECT t.kind, t.credit_version, t.debit = ANY (ARRAY(
            SELECT other.id FROM account me JOIN account other ON other.owner_user_id = me.owner_user_id AND other.kind = me.kind
            WHERE me.id = $1))
        FROM transfer t WHERE t.credit = $1 AND t.credit_version > (SELECT upto FROM mark)
    ), behind AS (
        SELECT kind, count(*) AS n, count(*) FILTER (WHERE own) AS own, max(version) AS upto FROM side GROUP BY kind
    ), counted AS (
        SELECT kind, sum(n) AS n, sum(own) AS own
        FROM (SELECT kind, n, own FROM behind
              UNION ALL SELECT k.key, (k.value->>'n')::bigint, (k.value->>'own')::bigint FROM mark, jsonb_each(mark.kinds) k) AS part
        GROUP BY kind
    )
    SELECT $1, greatest(mark.upto, (SELECT max(upto) FROM behind)),
        coalesce((SELECT jsonb_object_agg(kind, jsonb_build_object('n', n, 'own', own)) FROM counted), '{}'),
        coalesce((SELECT sum(n) FROM behind), 0)::bigint
    FROM mark $$;

-- Of a tally's kinds those named (NULL: all): how many, or how many of them came from another own account.
CREATE FUNCTION tally_sum(kinds jsonb, named text[], what text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(sum((k.value->>$3)::bigint), 0)::bigint FROM jsonb_each($1) k WHERE $2 IS NULL OR k.key = ANY ($2) $$;
