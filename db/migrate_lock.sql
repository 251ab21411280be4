-- One process migrates at a time; the lock ends with the session at the latest.
SELECT pg_advisory_lock(7019267134);
