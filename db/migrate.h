/* Migrations: the embedded migrations/NNNN_name.sql in order, each in its own transaction together with
 * its row in schema_migrations, all under one advisory lock, so that any number of processes may
 * start at once. Forward only: a database that is newer than this binary is refused. */
#pragma once

#include "db/db.h"

/* Applies what is missing, with a line for each through `progress` ("0001_ground"). OK, or ERR_* with *fault. */
enum err db_migrate(struct db_blocking *db, const struct sql *const *migrations, void (*progress)(const char *name),
                    const char **fault);
/* The number of the newest embedded migration. */
int64_t db_migrations_version(const struct sql *const *migrations);

/* What the server needs of PostgreSQL: version >= 14, wal_level=logical, a free slot and sender, the REPLICATION
 * attribute, not read-only, schema version. Each thing missing is one line with its mend in `out`; returns how many
 * are missing. */
int db_check(struct db_blocking *db, const struct sql *const *migrations, struct buf *out);
