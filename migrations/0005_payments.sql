-- Money from and to the outside: invoices, payouts, what providers said, lists, vouchers.

-- Pushes to devices, as mail_outbox: one row a device, written in the transaction that caused it, sent by domain/fcm.
CREATE TABLE push_outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token       text NOT NULL,
    title       text NOT NULL,
    body        text NOT NULL,
    data        text,                       -- a JSON object of texts
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'given_up')),
    attempts    int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX push_outbox_due ON push_outbox (next_try_at) WHERE status = 'waiting';

-- What providers told us, as it came, and what we noted about it.
CREATE TABLE provider_logs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject    text NOT NULL CHECK (subject IN ('checkout', 'payout', 'sync')),
    subject_id text,
    direction  text NOT NULL CHECK (direction IN ('in', 'out')),
    body       text NOT NULL,               -- text, so that nothing of it is lost
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX provider_logs_subject ON provider_logs (subject, subject_id);

-- The next events of inboxes, one for each element; several of one user in the order of the arrays. Users are locked by ascending id, so
-- that two processes cannot wait for each other in a circle. Returns how many were told.
CREATE FUNCTION tell_inbox(owners bigint[], type text, contents jsonb[]) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    WITH asked AS (
        SELECT owner, content, row_number() OVER (PARTITION BY owner ORDER BY place) AS n
        FROM unnest($1, $3) WITH ORDINALITY AS a (owner, content, place)
    ), locked AS (
        SELECT id, inbox_seq FROM users WHERE id IN (SELECT owner FROM asked) ORDER BY id FOR NO KEY UPDATE
    ), counted AS (
        UPDATE users u SET inbox_seq = l.inbox_seq + (SELECT count(*) FROM asked a WHERE a.owner = l.id)
        FROM locked l WHERE u.id = l.id
    ), written AS (
        INSERT INTO inbox (user_id, seq, type, data)
        SELECT a.owner, l.inbox_seq + a.n, $2, a.content FROM asked a JOIN locked l ON l.id = a.owner
        RETURNING user_id, seq, inbox.type, data, created_at
    )
    SELECT count(*) + count(tell(message)) FROM (   -- tell returns NULL, which is not counted
        SELECT jsonb_build_object('t', 'inbox', 'user', user_id, 'seq', seq, 'type', w.type, 'at', micros(created_at), 'data', data)
            AS message
        FROM written w ORDER BY user_id, seq) AS messages $$;

-- Invoices ------------------------------------------------------------------------------------------

CREATE TYPE invoice_status AS ENUM ('PENDING', 'PAID', 'EXPIRED', 'CANCELLED', 'FAILED');

-- Written before the provider is asked. Until he has answered, and for good when his answer was lost, invoice_id is NULL and no client
-- sees the invoice; a payment for it would still be found by external_id.
CREATE TABLE payment_invoices (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id      text UNIQUE,            -- the provider's
    external_id     text NOT NULL UNIQUE,   -- ours
    user_id         bigint NOT NULL,        -- no foreign key, as in transfer: it would lock the user's row for every invoice
    amount          bigint NOT NULL CHECK (amount > 0),
    paid_amount     bigint,                 -- what was credited; another one than amount marks the invoice
    status          invoice_status NOT NULL DEFAULT 'PENDING',
    cancelling      boolean NOT NULL DEFAULT false,   -- the owner wants it cancelled: when the provider says expired, it is
    payment_method  text,
    payment_channel text,
    ewallet_type    text,
    description     text NOT NULL,
    invoice_url     text,
    provider        text NOT NULL CHECK (provider IN ('xendit', 'sandbox')),
    expiry_date     timestamptz NOT NULL DEFAULT now() + interval '24 hours',
    paid_at         timestamptz,
    posting         bigint,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payment_invoices_user ON payment_invoices (user_id, id);
CREATE INDEX payment_invoices_open ON payment_invoices (id) WHERE status = 'PENDING';

CREATE FUNCTION invoice_json(i payment_invoices) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('invoice_id', i.invoice_id, 'external_id', i.external_id,
        'username', (SELECT username FROM users WHERE id = i.user_id), 'amount', amount_of(i.amount), 'status', i.status,
        'payment_method', i.payment_method, 'payment_channel', i.payment_channel, 'description', i.description,
        'invoice_url', i.invoice_url, 'expiry_date', iso(i.expiry_date), 'created_at', iso(i.created_at),
        'updated_at', iso(i.updated_at), 'paid_at', iso(i.paid_at)) $$;

-- What payment-status tells of an invoice that has just changed.
CREATE FUNCTION invoice_event(i payment_invoices, previous invoice_status, currency text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('invoiceId', coalesce(i.invoice_id, i.external_id), 'externalId', i.external_id,
        'username', (SELECT username FROM users WHERE id = i.user_id), 'status', i.status, 'previousStatus', previous,
        'amount', amount_of(i.amount), 'currency', currency, 'paidAt', CASE WHEN i.status = 'PAID' THEN iso(i.paid_at) END) $$;

-- Ends the posting whose row is not as the posting needs it.
CREATE FUNCTION payment_expect(met bigint, expected bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF met IS DISTINCT FROM expected THEN
        RAISE EXCEPTION 'payments: % of % rows as expected', met, expected USING ERRCODE = 'TL003';
    END IF;
END $$;

-- Payouts -------------------------------------------------------------------------------------------

CREATE TYPE payout_status AS ENUM ('PENDING', 'COMPLETED', 'FAILED');

-- Written with the posting that takes the money. The provider is asked with reference_id as the key by which he knows a repeat, and asked
-- again (next_try_at) until he has given it an id of his own.
CREATE TABLE payouts (
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payout_id           text NOT NULL UNIQUE,
    reference_id        text NOT NULL UNIQUE,
    provider_id         text UNIQUE,
    user_id             bigint NOT NULL,    -- no foreign key, as in transfer
    amount              bigint NOT NULL CHECK (amount > 0),
    status              payout_status NOT NULL DEFAULT 'PENDING',
    bank_code           text NOT NULL,
    account_number      text NOT NULL,
    account_holder_name text NOT NULL,
    description         text,
    provider            text NOT NULL CHECK (provider IN ('xendit', 'sandbox')),
    posting             bigint NOT NULL UNIQUE,
    returned            bigint,             -- the posting that gave the money back
    next_try_at         timestamptz NOT NULL DEFAULT now() + interval '1 minute',
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX payouts_user ON payouts (user_id, id);
CREATE INDEX payouts_unasked ON payouts (next_try_at) WHERE status = 'PENDING' AND provider_id IS NULL;

CREATE FUNCTION payout_json(p payouts) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('payout_id', p.payout_id, 'username', (SELECT username FROM users WHERE id = p.user_id),
        'amount', amount_of(p.amount), 'status', p.status, 'bank_code', p.bank_code, 'account_number', p.account_number,
        'account_holder_name', p.account_holder_name, 'description', p.description, 'reference_id', p.reference_id,
        'created_at', iso(p.created_at), 'updated_at', iso(p.updated_at)) $$;

-- Jobs that one process does for all: whoever holds the lease. `slot` is the last regular time it was done for.
CREATE TABLE jobs (
    name        text PRIMARY KEY,
    slot        timestamptz NOT NULL DEFAULT 'epoch',
    leased_till timestamptz NOT NULL DEFAULT 'epoch',
    holder      text
);
INSERT INTO jobs (name, slot) VALUES ('payment-sync', now());

-- Lists ---------------------------------------------------------------------------------------------

CREATE TABLE bank_channels (
    code              text PRIMARY KEY,
    name              text NOT NULL,
    can_disburse      boolean NOT NULL DEFAULT true,
    can_name_validate boolean NOT NULL DEFAULT true,
    has_accounts      boolean NOT NULL DEFAULT false   -- virtual accounts to pay into
);
INSERT INTO bank_channels (code, name, can_name_validate, has_accounts)
VALUES ('BCA', 'Bank Central Asia (BCA)', true, true), ('BNI', 'Bank Negara Indonesia (BNI)', true, true),
       ('BRI', 'Bank Rakyat Indonesia (BRI)', true, true), ('MANDIRI', 'Bank Mandiri', true, true),
       ('PERMATA', 'Bank Permata', true, true), ('BSI', 'Bank Syariah Indonesia (BSI)', true, true),
       ('CIMB', 'Bank CIMB Niaga', true, true), ('BJB', 'Bank BJB', true, true),
       ('SAHABAT_SAMPOERNA', 'Bank Sahabat Sampoerna', false, true), ('DANAMON', 'Bank Danamon', true, false),
       ('BTN', 'Bank Tabungan Negara (BTN)', true, false), ('OCBC', 'Bank OCBC NISP', true, false),
       ('PANIN', 'Bank Panin', true, false), ('MAYBANK', 'Bank Maybank Indonesia', true, false),
       ('MEGA', 'Bank Mega', true, false), ('SINARMAS', 'Bank Sinarmas', true, false),
       ('JAGO', 'Bank Jago', true, false), ('DBS', 'Bank DBS Indonesia', false, false);

CREATE TABLE payment_types (
    payment_method text NOT NULL,
    method_name    text NOT NULL,
    channel_code   text NOT NULL,
    name           text NOT NULL,
    place          int NOT NULL,
    is_active      boolean NOT NULL DEFAULT true,
    PRIMARY KEY (payment_method, channel_code)
);
INSERT INTO payment_types (payment_method, method_name, channel_code, name, place)
VALUES ('EWALLET', 'E-Wallet', 'OVO', 'OVO', 1), ('EWALLET', 'E-Wallet', 'DANA', 'DANA', 2),
       ('EWALLET', 'E-Wallet', 'LINKAJA', 'LinkAja', 3), ('EWALLET', 'E-Wallet', 'SHOPEEPAY', 'ShopeePay', 4),
       ('EWALLET', 'E-Wallet', 'ASTRAPAY', 'AstraPay', 5),
       ('VIRTUAL_ACCOUNT', 'Virtual Account', 'BCA', 'BCA', 11), ('VIRTUAL_ACCOUNT', 'Virtual Account', 'BNI', 'BNI', 12),
       ('VIRTUAL_ACCOUNT', 'Virtual Account', 'BRI', 'BRI', 13), ('VIRTUAL_ACCOUNT', 'Virtual Account', 'MANDIRI', 'Mandiri', 14),
       ('VIRTUAL_ACCOUNT', 'Virtual Account', 'PERMATA', 'Permata', 15), ('VIRTUAL_ACCOUNT', 'Virtual Account', 'BSI', 'BSI', 16),
       ('QR_CODE', 'QR Code', 'QRIS', 'QRIS', 21),
       ('RETAIL_OUTLET', 'Retail Outlet', 'ALFAMART', 'Alfamart', 31), ('RETAIL_OUTLET', 'Retail Outlet', 'INDOMARET', 'Indomaret', 32),
       ('CREDIT_CARD', 'Credit Card', 'CREDIT_CARD', 'Credit Card', 41);

-- Vouchers (their tables stand in the second migration) -----------------------------------------------------

CREATE FUNCTION voucher_json(v vouchers) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT json_build_object('voucher_code', v.code, 'kind', v.kind, 'amount', amount_of(v.amount), 'usage_limit', v.usage_limit,
        'used_count', v.used_count, 'valid_until', iso(v.valid_until), 'description', v.description, 'created_at', iso(v.created_at)) $$;
