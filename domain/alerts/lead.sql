-- Asks to be the one process that tells people; the session keeps it until it ends. The number is that of write.sql.
-- One row: whether it is.
SELECT pg_try_advisory_lock(7019267135)
