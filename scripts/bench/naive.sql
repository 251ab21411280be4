-- What tallyd is measured against: a transfer as one call of a function in its own transaction, as a
-- good engineer writes it first. pgbench calls it directly, the fastify peer from its handler.
-- Variables: users, accounts (of each user), funds
CREATE TABLE account (
    id      bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    balance bigint NOT NULL CHECK (balance >= 0)
) WITH (fillfactor = 70);
INSERT INTO account
SELECT n, 1 + (n - 1) / :accounts, :funds FROM generate_series(1, :users * :accounts) n;

CREATE TABLE transfer (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    debit      bigint NOT NULL,
    credit     bigint NOT NULL,
    amount     bigint NOT NULL CHECK (amount > 0),
    idem_key   text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX transfer_debit ON transfer (debit, id);
CREATE INDEX transfer_credit ON transfer (credit, id);

-- The new transfer's id, or less the id of the first one when the key is repeated. Refusals are raised,
-- which undoes everything. p_owner: whose the debit account must be, NULL for no such rule.
CREATE FUNCTION transfer(p_key text, p_owner bigint, p_debit bigint, p_credit bigint, p_amount bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
    moved int := 0;
BEGIN
    INSERT INTO transfer (debit, credit, amount, idem_key) VALUES (p_debit, p_credit, p_amount, p_key)
    ON CONFLICT (idem_key) DO NOTHING RETURNING id INTO made;
    IF made IS NULL THEN
        RETURN (SELECT -id FROM transfer WHERE idem_key = p_key);
    END IF;
    -- In the order of the ids, so that opposing transfers cannot deadlock.
    IF p_credit < p_debit THEN
        UPDATE account SET balance = balance + p_amount WHERE id = p_credit;
        moved := moved + FOUND::int;
    END IF;
    UPDATE account SET balance = balance - p_amount
    WHERE id = p_debit AND balance >= p_amount AND (user_id = p_owner OR p_owner IS NULL);
    moved := moved + FOUND::int;
    IF p_credit > p_debit THEN
        UPDATE account SET balance = balance + p_amount WHERE id = p_credit;
        moved := moved + FOUND::int;
    END IF;
    IF moved <> 2 THEN
        RAISE EXCEPTION 'refused' USING ERRCODE = 'BN001';
    END IF;
    RETURN made;
END $$;
ANALYZE;
