/* Telling the operator what PostgreSQL lacks, all at once, each with its mend. */
#include <string.h>

#include "db/blocking.h"
#include "db/migrate.h"
#include "sql.h"

enum { SERVER_VERSION_MIN = 140000 };
enum { SERVER_VERSION, WAL_LEVEL, SLOTS_FREE, SENDERS_FREE, MAY_REPLICATE, READ_ONLY };

static int missing(struct buf *out, bool is_missing, const char *line)
{
    if (!is_missing) return 0;
    buf_cstr(out, line);
    buf_char(out, '\n');
    return 1;
}

static int check_server(const struct db_result *r, struct buf *out)
{
    int n = 0;
    n += missing(out, db_cell_i64(r, 0, SERVER_VERSION) < SERVER_VERSION_MIN,
                 "PostgreSQL is older than 14: upgrade it");
    n += missing(out, !str_eq(db_cell(r, 0, WAL_LEVEL), STR("logical")),
                 "wal_level is not logical: set wal_level = logical in postgresql.conf and restart PostgreSQL");
    n += missing(out, db_cell_i64(r, 0, SLOTS_FREE) < 1,
                 "no replication slot is free: raise max_replication_slots and restart PostgreSQL");
    n += missing(out, db_cell_i64(r, 0, SENDERS_FREE) < 1,
                 "no WAL sender is free: raise max_wal_senders and restart PostgreSQL");
    n += missing(out, !db_cell_bool(r, 0, MAY_REPLICATE),
                 "the database role may not replicate: ALTER ROLE <role> REPLICATION, as a superuser");
    n += missing(out, db_cell_bool(r, 0, READ_ONLY),
                 "the database is read-only: point DATABASE_URL at the primary");
    return n;
}

static int check_schema(int64_t found, int64_t expected, struct buf *out)
{
    if (found == expected) return 0;
    buf_printf(out, "schema version is %lld, expected %lld: %s\n", (long long) found, (long long) expected,
               found < expected ? "run the migrate command" : "use a newer binary");
    return 1;
}

int db_check(struct db_blocking *db, const struct sql *const *migrations, struct buf *out)
{
    struct arena arena;
    arena_init(&arena);
    const struct db_result *server = NULL, *schema = NULL;
    int n = 0;
    if (db_blocking_exec(db, &sql_db_check_server, NULL, &arena, &server) == OK) {
        n += check_server(server, out);
    } else {
        n++;
        buf_printf(out, "PostgreSQL does not answer as expected: %s\n", db->fault);
    }
    enum err err = db_blocking_exec(db, &sql_db_check_schema, NULL, &arena, &schema);
    int64_t expected = db_migrations_version(migrations);
    if (err == OK) {
        n += check_schema(db_cell_i64(schema, 0, 0), expected, out);
    } else if (schema && strcmp(db_sqlstate(schema), "42P01") == 0) {
        n += check_schema(0, expected, out);
    } else {
        n++;
        buf_printf(out, "the schema's version cannot be read: %s\n", db->fault);
    }
    arena_fini(&arena);
    return n;
}
