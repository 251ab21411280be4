-- The number of the newest migration that was applied. Row: version, 0 when there is none.
SELECT coalesce(max(version), 0) AS version FROM schema_migrations;
