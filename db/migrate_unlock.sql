SELECT pg_advisory_unlock(7019267134);
