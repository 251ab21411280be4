/* Applying migrations, one transaction each. A file may hold several statements, so it is sent as a
 * script; that its row in schema_migrations belongs to the same transaction is why the transaction is begun and
 * ended around it, and a file that ends it by itself is refused. */
#include "db/migrate.h"

#include <stdio.h>
#include <string.h>

#include "db/blocking.h"
#include "sql.h"

/* "migrations/0001_ground.sql" -> "0001_ground" */
static struct str name_of(const struct sql *m)
{
    const char *slash = strrchr(m->file, '/');
    struct str name = str_from(slash ? slash + 1 : m->file);
    if (name.n > 4 && memcmp(name.p + name.n - 4, ".sql", 4) == 0) name.n -= 4;
    return name;
}

static int64_t version_of(const struct sql *m)
{
    struct str rest = name_of(m);
    int64_t version = 0;
    must(str_to_i64(str_cut(&rest, '_'), &version) && version > 0);
    return version;
}

int64_t db_migrations_version(const struct sql *const *migrations)
{
    int64_t newest = 0;
    for (; *migrations; migrations++) {
        int64_t version = version_of(*migrations);
        must(version > newest);   /* they are embedded in order, and no two have one number */
        newest = version;
    }
    return newest;
}

static enum err exec(struct db_blocking *db, const struct sql *sql, struct arena *arena)
{
    return db_blocking_exec(db, sql, NULL, arena, NULL);
}

static enum err write_down(struct db_blocking *db, const struct sql *m, struct arena *arena)
{
    struct db_args args;
    db_args_init(&args, arena);
    db_i64(&args, version_of(m));
    db_text(&args, name_of(m));
    return db_blocking_exec(db, &sql_db_migrate_insert, &args, arena, NULL);
}

static enum err apply(struct db_blocking *db, const struct sql *m, struct arena *arena)
{
    enum err err = exec(db, &sql_db_begin, arena);
    if (err == OK) err = db_blocking_script(db, m->text);
    if (err == OK && PQtransactionStatus(db->pg) != PQTRANS_INTRANS) {
        snprintf(db->fault, sizeof db->fault, "the migration ends its own transaction");
        err = ERR_INVALID;
    }
    if (err == OK) err = write_down(db, m, arena);
    if (err == OK) err = exec(db, &sql_db_commit, arena);
    if (err == OK) return OK;
    char why[WIRE_WHY_MAX];   /* the rollback would overwrite it */
    memcpy(why, db->fault, sizeof why);
    struct str name = name_of(m);
    exec(db, &sql_db_rollback, arena);
    snprintf(db->fault, sizeof db->fault, "%.*s: %.180s", STR_FMT(name), why);
    return err;
}

/* Applied are the first so-many of ours, or the database is not for this binary. */
static enum err refuse_strange(struct db_blocking *db, const struct sql *const *migrations, const struct db_result *r)
{
    int64_t newest = db_migrations_version(migrations);
    for (int i = 0; i < db_rows(r); i++) {
        int64_t version = db_cell_i64(r, i, 0);
        if (version > newest) {
            snprintf(db->fault, sizeof db->fault, "the database is newer than this binary: version %lld, known %lld",
                     (long long) db_cell_i64(r, db_rows(r) - 1, 0), (long long) newest);
            return ERR_INVALID;
        }
        if (version != version_of(migrations[i])) {
            snprintf(db->fault, sizeof db->fault, "migration %lld was applied before an older one",
                     (long long) version);
            return ERR_INVALID;
        }
    }
    return OK;
}

static enum err apply_missing(struct db_blocking *db, const struct sql *const *migrations,
                              void (*progress)(const char *name), struct arena *arena)
{
    const struct db_result *applied = NULL;
    enum err err = exec(db, &sql_db_migrate_table, arena);
    if (err == OK) err = db_blocking_exec(db, &sql_db_migrate_applied, NULL, arena, &applied);
    if (err == OK) err = refuse_strange(db, migrations, applied);
    for (int i = err == OK ? db_rows(applied) : 0; err == OK && migrations[i]; i++) {
        err = apply(db, migrations[i], arena);
        if (err == OK && progress) progress(arena_cstr(arena, name_of(migrations[i])));
    }
    return err;
}

enum err db_migrate(struct db_blocking *db, const struct sql *const *migrations, void (*progress)(const char *name),
                    const char **fault)
{
    struct arena arena;
    arena_init(&arena);
    enum err err = exec(db, &sql_db_migrate_lock, &arena);
    if (err == OK) {
        char why[WIRE_WHY_MAX];
        err = apply_missing(db, migrations, progress, &arena);
        memcpy(why, db->fault, sizeof why);
        exec(db, &sql_db_migrate_unlock, &arena);
        memcpy(db->fault, why, sizeof why);
    }
    if (err != OK) *fault = db->fault;
    arena_fini(&arena);
    return err;
}
