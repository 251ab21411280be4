-- What a new connection must know before it is used. Row: read_only, server_version ("150004").
SELECT current_setting('transaction_read_only')::boolean OR pg_is_in_recovery() AS read_only,
       current_setting('server_version_num') AS server_version;
