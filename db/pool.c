/* A set of connections of one kind. A unit goes to the ready connection with the least under way,
 * rather to one that no open unit holds. When all are busy another is opened in the background, up
 * to connections_max; the work does not wait for it.
 *
 * Down: one connection goes on trying; the others stay off until they are needed, so that a
 * database that comes back is not met by all of them at once.
 *
 * Closing: no new work; when the last unit has ended (the deadline sees to that) the connections
 * are closed, and with the last handle the pool is freed. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "db/private.h"
#include "sql.h"

static void on_close_item(struct turn_item *item);

/* The server gives up a little before we do: then the connection survives and the reason is known. Compiling a plan
 * (0.3 s, whenever a statement over large tables looks expensive) takes longer than any statement of ours. */
static void session_options(const struct db_options *o, char *out, size_t size)
{
    snprintf(out, size,
             "-c statement_timeout=%d -c lock_timeout=%d -c idle_in_transaction_session_timeout=%d"
             " -c TimeZone=UTC -c jit=off %s",
             o->deadline_ms - o->deadline_ms / 5, o->deadline_ms / 2, o->deadline_ms, o->session ? o->session : "");
}

struct db *db_new(uv_loop_t *loop, struct turn *turn, struct wheel *wheel, const struct db_options *options)
{
    must(options->connections_max > 0 && options->queue_max > 0 && options->deadline_ms >= 10);
    struct db *db = mem_new(struct db);
    db->loop = loop;
    db->turn = turn;
    db->wheel = wheel;
    db->options = *options;
    /* Our own statements are prepared as well, whatever the caller counts. */
    db->sql_count = options->sql_count > SQL_COUNT ? options->sql_count : SQL_COUNT;
    list_init(&db->spare_units);
    list_init(&db->spare_steps);
    turn_item_init(&db->close, on_close_item);
    db->conns = mem_alloc((size_t) options->connections_max * sizeof *db->conns);
    for (int i = 0; i < options->connections_max; i++) conn_init(&db->conns[i], db, i);
    char session[512];
    session_options(options, session, sizeof session);
    if (wire_params_init(&db->params, options->url, options->name, session, options->deadline_ms, db->params_room,
                         sizeof db->params_room)) {
        conn_open(&db->conns[0]);
    } else {
        pool_trouble(db, "malformed connection string", true);
    }
    return db;
}

bool db_is_up(const struct db *db)
{
    return db && db->ready_count > 0;
}

const char *db_trouble(const struct db *db)
{
    if (!db) return "closed";
    if (db->ready_count > 0) return "";
    return *db->trouble ? db->trouble : "connecting";
}

int db_queue_length(const struct db *db)
{
    return db->queue_length;
}

void pool_trouble(struct db *db, const char *why, bool log)
{
    if (db->closing || strcmp(db->trouble, why) == 0) return;
    snprintf(db->trouble, sizeof db->trouble, "%s", why);
    if (log) log_warn("db", "trouble", "name=%s why=%s", db->options.name, LOG_STR(str_from(why)));
}

void pool_conn_ready(struct db_conn *c)
{
    struct db *db = c->db;
    db->trouble[0] = 0;
    db->ready_count++;
    log_info("db", "connected", "name=%s conn=%d pid=%d", db->options.name, c->number, PQbackendPID(c->wire.pg));
    if (db->ready_count == 1 && db->options.on_state && !db->closing) db->options.on_state(db->options.arg, true);
}

static bool others_are_on(const struct db_conn *c)
{
    for (int i = 0; i < c->db->options.connections_max; i++) {
        const struct db_conn *other = &c->db->conns[i];
        if (other != c && other->state != CONN_OFF) return true;
    }
    return false;
}

void pool_conn_lost(struct db_conn *c, bool was_ready)
{
    struct db *db = c->db;
    if (was_ready && db->ready_count == 0 && db->options.on_state && !db->closing) {
        db->options.on_state(db->options.arg, false);
    }
    if (!db->closing && c->state == CONN_OFF && !others_are_on(c)) conn_open(c);
}

/* Opens one more, unless one is being opened already. */
static void open_another(struct db *db)
{
    struct db_conn *off = NULL;
    for (int i = 0; i < db->options.connections_max; i++) {
        struct db_conn *c = &db->conns[i];
        if (c->state == CONN_CONNECTING || c->state == CONN_CHECKING) return;
        if (c->state == CONN_OFF && !off) off = c;
    }
    if (off) conn_open(off);
}

static bool is_better(const struct db_conn *c, const struct db_conn *than)
{
    if (!than) return true;
    bool held = c->sender != NULL, than_held = than->sender != NULL;
    return held != than_held ? !held : c->unit_count < than->unit_count;
}

static enum err choose(struct db *db, struct db_conn **out)
{
    struct db_conn *best = NULL;
    if (!db || db->closing) return ERR_CLOSED;
    for (int i = 0; i < db->options.connections_max; i++) {
        struct db_conn *c = &db->conns[i];
        if (conn_is_usable(c) && is_better(c, best)) best = c;
    }
    if (!best) return ERR_UNAVAILABLE;
    if (db->queue_length >= db->options.queue_max) return ERR_FULL;
    if (best->unit_count > 0) open_another(db);
    *out = best;
    return OK;
}

enum err db_begin(struct db *db, struct db_unit **unit, db_done on_lost, void *arg)
{
    struct db_conn *c;
    enum err err = choose(db, &c);
    if (err != OK) return err;
    *unit = unit_begin(c, on_lost, arg);
    return OK;
}

enum err db_exec(struct db *db, const struct sql *sql, const struct db_args *args, db_done done, void *arg)
{
    struct db_unit *unit;
    enum err err = db_begin(db, &unit, NULL, NULL);
    if (err != OK) return err;
    unit->keep_result = true;
    db_stmt(unit, sql, args, NULL, NULL);
    db_sync(unit, done, arg);
    return OK;
}

static void spares_free(struct list *spares)
{
    struct list *link;
    while ((link = list_shift(spares))) mem_free(link);
}

static void on_conn_closed(struct wire *w)
{
    struct db *db = list_entry(w, struct db_conn, wire)->db;
    if (--db->conns_open > 0) return;
    void (*closed)(void *arg) = db->closed;
    void *arg = db->closed_arg;
    for (int i = 0; i < db->options.connections_max; i++) mem_free(db->conns[i].prepared);
    mem_free(db->conns);
    spares_free(&db->spare_units);
    spares_free(&db->spare_steps);
    mem_free(db);
    if (closed) closed(arg);
}

static void close_when_idle(struct db *db)
{
    if (db->conns_open > 0) return;
    for (int i = 0; i < db->options.connections_max; i++) {
        if (db->conns[i].state == CONN_CHECKING) conn_lose(&db->conns[i], "closing");
    }
    if (db->queue_length > 0) return;
    turn_cancel(&db->close);
    db->conns_open = db->options.connections_max;
    for (int i = 0; i < db->options.connections_max; i++) conn_close(&db->conns[i], on_conn_closed);
}

static void on_close_item(struct turn_item *item)
{
    close_when_idle(list_entry(item, struct db, close));
}

void pool_unit_ended(struct db *db)
{
    if (db->closing && db->queue_length == 0) turn_defer(db->turn, &db->close);
}

void db_close(struct db *db, void (*closed)(void *arg), void *arg)
{
    must(!db->closing);
    db->closing = true;
    db->closed = closed;
    db->closed_arg = arg;
    if (db->queue_length == 0) close_when_idle(db);
    else turn_defer(db->turn, &db->close);
}
