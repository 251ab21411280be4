/* Waiting for PostgreSQL: for operator commands, which have nothing else to do. Never on the loop. */
#include <stdio.h>

#include "db/blocking.h"

static void clear_result(void *pg)
{
    PQclear(pg);
}

static void ignore_notice(void *arg, const PGresult *r)
{
    (void) arg;
    (void) r;
}

/* What libpq says of a string that it cannot read quotes it, with the password. */
static bool is_malformed(const char *url)
{
    char *quoted = NULL;
    PQconninfoOption *parsed = PQconninfoParse(url, &quoted);
    PQfreemem(quoted);
    PQconninfoFree(parsed);
    return !parsed;
}

struct db_blocking *db_blocking_open(const char *url, const char **fault)
{
    if (is_malformed(url)) {
        *fault = "the database's URL is malformed: special characters in it must be percent-encoded";
        return NULL;
    }
    /* The one who cannot connect has no object to keep the reason in: it lives here, until the next. */
    static char why[WIRE_WHY_MAX];
    static const char *const keys[] = { "connect_timeout", "dbname", "application_name", "client_encoding", NULL };
    const char *const values[] = { "5", url, "operator", "UTF8", NULL };
    PGconn *pg = PQconnectdbParams(keys, values, 1);
    must(pg != NULL);
    if (PQstatus(pg) != CONNECTION_OK) {
        wire_reason(PQerrorMessage(pg), why);
        PQfinish(pg);
        *fault = why;
        return NULL;
    }
    PQsetNoticeReceiver(pg, ignore_notice, NULL);
    struct db_blocking *db = mem_new(struct db_blocking);
    db->pg = pg;
    return db;
}

static enum err outcome(struct db_blocking *db, PGresult *pg)
{
    switch (PQresultStatus(pg)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_EMPTY_QUERY:
        return OK;
    default:
        wire_reason(PQerrorMessage(db->pg), db->fault);
        return PQstatus(db->pg) == CONNECTION_OK ? ERR_SQL : ERR_UNAVAILABLE;
    }
}

enum err db_blocking_exec(struct db_blocking *db, const struct sql *sql, const struct db_args *args,
                          struct arena *arena, const struct db_result **r)
{
    int n = args ? args->count : 0;
    PGresult *pg = PQexecParams(db->pg, sql->text, n, NULL, n ? args->values : NULL, n ? args->lengths : NULL,
                                n ? args->formats : NULL, 0);
    enum err err = outcome(db, pg);
    struct db_result *result = arena_new(arena, struct db_result);
    result->pg = pg;
    arena_defer(arena, clear_result, pg);
    if (r) *r = err == OK || err == ERR_SQL ? result : NULL;
    return err;
}

enum err db_blocking_script(struct db_blocking *db, const char *text)
{
    PGresult *pg = PQexec(db->pg, text);
    enum err err = outcome(db, pg);
    PQclear(pg);
    return err;
}

void db_blocking_close(struct db_blocking *db)
{
    if (!db) return;
    PQfinish(db->pg);
    mem_free(db);
}
