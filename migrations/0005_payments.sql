-- Money from and to the outside: queues of messages, invoices, payouts, what providers said.

-- Outbound ------------------------------------------------------------------------------------------

-- Text messages, as mail_outbox: written in the transaction that caused them, sent by domain/sms.
CREATE TABLE IF NOT EXISTS sms_outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    to_phone    text NOT NULL,              -- digits only
    text        text NOT NULL,
    status      text NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'sent', 'given_up')),
    attempts    int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT now(),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS sms_outbox_due ON sms_outbox (next_try_at) WHERE status = 'waiting';
