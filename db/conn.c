/* The life of one connection of a pool.
 *
 *     off ── conn_open ──▶ connecting ──▶ checking ──▶ ready
 *      ▲                     ▲   │            │          │
 *      └──── pool decides ───┴───┴── lost ◀───┴──────────┘
 *
 * Checking: is this a server we can work with (version, writable, schema)? If not, the connection is
 * lost with that reason and tried again later: a standby may be promoted, a schema migrated.
 *
 * Lost: whatever the cause, conn_lose ends all units, each by what is certain about it, and the
 * pool decides whether this connection is opened again. Nobody is waited for. */
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "db/private.h"
#include "sql.h"

enum { SERVER_VERSION_MIN = 140000 };

static void on_open(struct wire *w);
static void on_input(struct wire *w, bool heard);
static void on_lost(struct wire *w, const char *why);
static void on_broken(struct turn_item *item);
static void on_arrived(struct turn_item *item);
static void on_deadline(struct wheel_timer *t);
static void start_checks(struct db_conn *c);

static const struct wire_events events = { on_open, on_input, on_lost };

void conn_init(struct db_conn *c, struct db *db, int number)
{
    *c = (struct db_conn){ .db = db, .number = number };
    wire_init(&c->wire, db->loop, &events, &db->params);
    list_init(&c->units);
    list_init(&c->sent);
    turn_item_init(&c->broken, on_broken);
    turn_item_init(&c->arrived, on_arrived);
    wheel_timer_init(&c->deadline, on_deadline);
    c->prepared = mem_alloc((size_t) db->sql_count * sizeof *c->prepared);
}

void conn_open(struct db_conn *c)
{
    must(c->state == CONN_OFF);
    c->state = CONN_CONNECTING;
    wire_retry(&c->wire);
}

bool conn_is_usable(const struct db_conn *c)
{
    return c->state == CONN_READY && !turn_is_deferred(&c->broken);
}

static void on_open(struct wire *w)
{
    struct db_conn *c = list_entry(w, struct db_conn, wire);
    must(PQenterPipelineMode(w->pg) == 1);
    c->state = CONN_CHECKING;
    c->forgotten = 0;
    memset(c->prepared, 0, (size_t) c->db->sql_count * sizeof *c->prepared);
    start_checks(c);
}

static void on_input(struct wire *w, bool heard)
{
    (void) heard;
    answer_take(list_entry(w, struct db_conn, wire));
}

static void on_connection_checked(void *arg, enum err err, const struct db_result *r)
{
    struct db_conn *c = arg;
    if (err != OK) return;
    must(db_rows(r) == 1);
    c->found.read_only = db_cell_bool(r, 0, 0);
    c->found.server_version = db_cell_i64(r, 0, 1);
}

static void on_schema_checked(void *arg, enum err err, const struct db_result *r)
{
    struct db_conn *c = arg;
    if (err == OK) c->found.schema_version = db_cell_i64(r, 0, 0);
    else c->found.not_migrated = strcmp(db_sqlstate(r), "42P01") == 0;
}

static void on_checked(void *arg, enum err err, const struct db_result *r)
{
    struct db_conn *c = arg;
    char why[WIRE_WHY_MAX] = "";
    int64_t expected = c->db->options.schema_version;
    if (err != OK && err != ERR_SQL) return;   /* it was lost, which is told by the one who lost it */
    if (c->found.server_version && c->found.server_version < SERVER_VERSION_MIN) {
        snprintf(why, sizeof why, "PostgreSQL is too old: 14 or newer is needed");
    } else if (c->found.read_only) {
        snprintf(why, sizeof why, "read-only");
    } else if (c->found.not_migrated) {
        snprintf(why, sizeof why, "not migrated");
    } else if (err != OK) {
        snprintf(why, sizeof why, "%s", db_message(r));
    } else if (expected && c->found.schema_version != expected) {
        snprintf(why, sizeof why, "schema version %lld, expected %lld", (long long) c->found.schema_version,
                 (long long) expected);
    }
    if (*why) {
        conn_lose(c, why);
        return;
    }
    c->state = CONN_READY;
    wire_settled(&c->wire);
    pool_conn_ready(c);
}

static void start_checks(struct db_conn *c)
{
    memset(&c->found, 0, sizeof c->found);
    struct db_unit *u = unit_begin(c, NULL, NULL);
    db_stmt(u, &sql_db_check_connection, NULL, on_connection_checked, c);
    if (c->db->options.schema_version) db_stmt(u, &sql_db_check_schema, NULL, on_schema_checked, c);
    db_sync(u, on_checked, c);
}

static void on_lost(struct wire *w, const char *why)
{
    conn_lose(list_entry(w, struct db_conn, wire), why);
}

static void on_arrived(struct turn_item *item)
{
    answer_take(list_entry(item, struct db_conn, arrived));
}

static void on_broken(struct turn_item *item)
{
    struct db_conn *c = list_entry(item, struct db_conn, broken);
    char why[WIRE_WHY_MAX];
    if (c->wire.state != WIRE_OPEN) return;
    answer_take(c);   /* what was answered before it broke is certain */
    if (c->wire.state != WIRE_OPEN) return;
    wire_reason(wire_why(&c->wire), why);
    conn_lose(c, why);
}

void conn_break(struct db_conn *c)
{
    turn_defer(c->db->turn, &c->broken);
}

static enum err err_of_lost(const struct db_unit *u, uint64_t now)
{
    if (u->state == UNIT_SENT) return u->error ? ERR_SQL : ERR_UNCERTAIN;
    bool late = now - u->begun_ms >= (uint64_t) u->conn->db->options.deadline_ms;
    return !u->sending && late ? ERR_TIMEOUT : ERR_UNAVAILABLE;
}

void conn_lose(struct db_conn *c, const char *why)
{
    char copy[WIRE_WHY_MAX];
    snprintf(copy, sizeof copy, "%s", why);
    bool was_ready = c->state == CONN_READY;
    if (c->wire.state != WIRE_IDLE) wire_drop(&c->wire);
    c->state = CONN_OFF;
    turn_cancel(&c->broken);
    turn_cancel(&c->arrived);
    wheel_cancel(&c->deadline);
    if (was_ready) {
        log_warn("db", "lost", "name=%s conn=%d units=%d why=%s", c->db->options.name, c->number, c->unit_count,
                 LOG_STR(str_from(copy)));
    }
    pool_trouble(c->db, copy, !was_ready);
    if (was_ready) c->db->ready_count--;   /* before the units end, so that their owners find it down */
    unit_steps_drop(c->db, &c->sent);
    c->sender = NULL;
    uint64_t now = clock_mono_ms();
    struct list *link;
    while ((link = list_first(&c->units))) {
        struct db_unit *u = list_entry(link, struct db_unit, link);
        unit_end(u, err_of_lost(u, now));
    }
    pool_conn_lost(c, was_ready);
}

/* The timer stands for whichever unit is the oldest when it fires, so it need not be moved for each. */
static void on_deadline(struct wheel_timer *t)
{
    struct db_conn *c = list_entry(t, struct db_conn, deadline);
    const struct list *first = list_first(&c->units);
    if (!first) return;
    uint64_t age = clock_mono_ms() - list_entry(first, struct db_unit, link)->begun_ms;
    uint64_t deadline = (uint64_t) c->db->options.deadline_ms;
    if (age < deadline) wheel_set(c->db->wheel, t, deadline - age);
    else conn_lose(c, "no answer within the deadline");
}

void conn_close(struct db_conn *c, void (*closed)(struct wire *w))
{
    must(list_empty(&c->units) && list_empty(&c->sent));
    turn_cancel(&c->broken);
    turn_cancel(&c->arrived);
    wheel_cancel(&c->deadline);
    c->state = CONN_OFF;
    wire_close(&c->wire, closed);
}
