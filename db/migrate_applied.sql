-- What was applied. Row: version; in order.
SELECT version FROM schema_migrations ORDER BY version;
