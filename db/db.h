/* PostgreSQL without blocking: libpq in pipeline mode on the loop.
 *
 * A `db` is a set of connections of one kind (reads and plain writes; the ledger has its own). Work is
 * done in units: one or more statements and ONE Sync, an implicit transaction. Units are answered in
 * order per connection. A unit that was never sent ends with ERR_UNAVAILABLE or ERR_TIMEOUT: nothing
 * happened. A unit whose Sync was sent and whose answer did not come ends with ERR_UNCERTAIN: it
 * happened or it did not. A statement that PostgreSQL refuses ends the unit with ERR_SQL and its SQLSTATE.
 *
 * While the database is away, db_exec fails at once with ERR_UNAVAILABLE; reconnecting goes on in the
 * background with backoff (50 ms … 600 ms, jittered: found within a second) until db_close.
 * Unexpected refusals (missing tables, timeouts, defects) are logged here, with the .sql file's name; what a
 * caller decides by (unique violations, raised exceptions) is not. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/metrics.h"
#include "core/sql.h"
#include "core/turn.h"
#include "core/wheel.h"

struct db;
struct db_unit;

struct db_options {
    const char *url;                 /* a libpq connection string or URI */
    const char *name;                /* for logs and application_name: "read", "ledger" */
    int connections_max;             /* opened one by one when the others are busy */
    int queue_max;                   /* units under way and waiting, over all connections; beyond it ERR_FULL */
    int deadline_ms;                 /* a unit that has no answer by then ends, and with it its connection */
    const char *session;             /* extra settings: "-c enable_seqscan=off …", may be NULL */
    int sql_count;                   /* how many struct sql there are: SQL_COUNT */
    int64_t schema_version;          /* the newest migration; another one is refused; 0: not looked at */
    /* Comes when the first connection stands (true) and when the last is lost (false). */
    void (*on_state)(void *arg, bool up);
    void *arg;
};

struct db *db_new(uv_loop_t *loop, struct turn *turn, struct wheel *wheel, const struct db_options *options);
/* Units under way are finished or ended first; then it frees itself and calls `closed`, never from inside the call.
 * Let `closed` set your pointer to NULL: to whoever asks later, NULL is a closed database. */
void db_close(struct db *db, void (*closed)(void *arg), void *arg);
bool db_is_up(const struct db *db);
/* Why it is not up, for /ready and the log: "connection refused", "schema version 3, expected 4", "read-only". */
const char *db_trouble(const struct db *db);
int db_queue_length(const struct db *db);

/* Parameters. Scalars travel as text (PostgreSQL reads them by the statement's casts: write $1::bigint),
 * arrays in binary. They are copied into the arena, which must live until the unit's end. */
enum { DB_ARGS_MAX = 32 };

struct db_args {
    struct arena *arena;
    int count;
    const char *values[DB_ARGS_MAX];
    int lengths[DB_ARGS_MAX];
    int formats[DB_ARGS_MAX];
};

void db_args_init(struct db_args *a, struct arena *arena);
void db_null(struct db_args *a);
void db_i64(struct db_args *a, int64_t v);
void db_bool(struct db_args *a, bool v);
void db_text(struct db_args *a, struct str s);                  /* p == NULL: NULL */
void db_bytes(struct db_args *a, struct str s);                 /* bytea, binary */
void db_i64_array(struct db_args *a, const int64_t *v, int n);  /* bigint[]; INT64_MIN stands for NULL */
void db_text_array(struct db_args *a, const struct str *v, int n);   /* text[]; p == NULL: NULL */
void db_uuid_array(struct db_args *a, const uint8_t (*v)[16], int n);

/* The answer of one statement, valid during the callback only. */
struct db_result;
int db_rows(const struct db_result *r);
int db_columns(const struct db_result *r);
int db_affected(const struct db_result *r);
struct str db_cell(const struct db_result *r, int row, int column);   /* STR_NONE for NULL; terminated */
int64_t db_cell_i64(const struct db_result *r, int row, int column);  /* must be a number; 0 for NULL */
bool db_cell_bool(const struct db_result *r, int row, int column);
const char *db_sqlstate(const struct db_result *r);     /* "23505", "" when there was no error */
const char *db_constraint(const struct db_result *r);   /* the violated constraint's name, or "" */
const char *db_message(const struct db_result *r);      /* PostgreSQL's text, for logs only; "" when none */

typedef void (*db_done)(void *arg, enum err err, const struct db_result *r);   /* r is NULL unless OK or ERR_SQL */

/* One statement, one unit. OK: `done` comes once, later. ERR_UNAVAILABLE, ERR_FULL, or ERR_CLOSED after db_close:
 * it will not come. */
enum err db_exec(struct db *db, const struct sql *sql, const struct db_args *args, db_done done, void *arg);

/* Several statements in one unit, sent at the next db_flush or db_sync:
 *
 *     enum err err = db_begin(db, &unit);      a unit on a connection; nobody else's statements come between
 *     db_stmt(unit, &sql_x, &args, on_x, arg);  on_x may be NULL; called in order, with ERR_SQL for the statement that
 *     db_flush(unit);                           failed, and not at all for those after it
 *     … in on_x: look at the rows, decide, then
 *     db_stmt(unit, &sql_y, …);
 *     db_sync(unit, on_end, arg);
 *
 * on_end comes exactly once, last: OK when it is committed; ERR_SQL when it was rolled back (r: the first error);
 * ERR_UNCERTAIN, ERR_UNAVAILABLE as above. When the connection is lost, or a statement fails, before db_sync was
 * called, `on_lost` given to db_begin comes instead (OK never; ERR_UNAVAILABLE, ERR_TIMEOUT or ERR_SQL: nothing was
 * committed) and the unit is gone: do not touch it. So a statement's callback that gets ERR_SQL must not go on with an
 * open unit: on_lost follows at once. After db_sync further units may be begun on the same connection before this one
 * is answered: they are pipelined behind it. A unit begun while another is open waits until that one's db_sync.
 *
 * db_flush_sync asks for the statements' answers before the commit: their callbacks come while PostgreSQL is still
 * flushing its log, so that what goes next can be made ready meanwhile. What they tell may yet be undone. */
enum err db_begin(struct db *db, struct db_unit **unit, db_done on_lost, void *arg);
void db_stmt(struct db_unit *unit, const struct sql *sql, const struct db_args *args, db_done done, void *arg);
void db_flush(struct db_unit *unit);
void db_sync(struct db_unit *unit, db_done on_end, void *arg);
void db_flush_sync(struct db_unit *unit, db_done on_end, void *arg);

/* Blocking, for operator commands and before the loop runs; never on the loop. NULL with *fault when it cannot connect
 * (*fault holds until the next attempt). */
struct db_blocking;
struct db_blocking *db_blocking_open(const char *url, const char **fault);
/* r lives in the arena (a deferred clean-up frees it); it may be NULL. */
enum err db_blocking_exec(struct db_blocking *db, const struct sql *sql, const struct db_args *args,
                          struct arena *arena, const struct db_result **r);
void db_blocking_close(struct db_blocking *db);
