-- Whoever gets the row does the synchronisation, until he releases it or its lease ends. A regular time counts as done when the run for
-- it was released, so one whose process died is done by the next that looks.
-- $1 who, $2 the regular time (seconds since 1970) it is for, or NULL: now, because somebody asked
-- One row: whether it is ours, whether the time was done for already.
WITH claimed AS (
    UPDATE jobs SET holder = $1::text, leased_till = now() + interval '2 minutes'
    WHERE name = 'payment-sync' AND leased_till < now() AND ($2::bigint IS NULL OR slot < to_timestamp($2::bigint))
    RETURNING 1
)
SELECT EXISTS (SELECT FROM claimed), coalesce(slot >= to_timestamp($2::bigint), false) FROM jobs WHERE name = 'payment-sync'
