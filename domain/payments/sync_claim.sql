-- Whoever gets the row does the synchronisation, until he releases it or its lease ends.
-- $1 who, $2 the regular time (seconds since 1970) it is for, or NULL: now, because somebody asked
-- One row: nothing of interest. No row: another is at it, or has done it.
UPDATE jobs SET holder = $1::text, leased_till = now() + interval '2 minutes',
    slot = CASE WHEN $2::bigint IS NULL THEN slot ELSE to_timestamp($2::bigint) END
WHERE name = 'payment-sync' AND leased_till < now() AND ($2::bigint IS NULL OR slot < to_timestamp($2::bigint))
RETURNING 1
