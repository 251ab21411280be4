-- BANK-02, USR-01: a failure, counted for the person from this address and for the address.
-- $1 name, $2 address of the client
INSERT INTO attempts (kind, target)
VALUES ('login', lower($1::text) || ' ' || $2::text), ('login-address', $2::text)
