-- One migration is done. $1 version, $2 name ("0001_ground").
INSERT INTO schema_migrations (version, name) VALUES ($1::bigint, $2::text);
