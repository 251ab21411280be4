-- What the server needs of PostgreSQL, for the operator's check. Row: server_version, wal_level,
-- slots_free, senders_free, may_replicate, read_only.
SELECT current_setting('server_version_num') AS server_version,
       current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots) AS slots_free,
       current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication) AS senders_free,
       (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user) AS may_replicate,
       current_setting('transaction_read_only')::boolean OR pg_is_in_recovery() AS read_only;
