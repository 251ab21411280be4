/* Units: the calls of db/db.h that make them, and their end.
 *
 * A unit belongs to one connection from its beginning. Its statements gather in unit->unsent and
 * leave when it is the connection's sender, that is, when all units before it have sent their
 * Sync (db/send.c). Nothing here calls back: ends come from answers (db/answer.c) and from a lost
 * connection (db/conn.c). */
#include <string.h>

#include "core/clock.h"
#include "db/private.h"

enum { SPARE_MAX = 1024 };

static void *spare_take(struct db *db, struct list *spares, size_t size)
{
    struct list *link = list_shift(spares);
    if (!link) return mem_alloc(size);
    db->spare_count--;
    memset(link, 0, size);
    return link;
}

static void spare_put(struct db *db, struct list *spares, struct list *link)
{
    if (db->spare_count >= SPARE_MAX) {
        mem_free(link);
        return;
    }
    list_append(spares, link);
    db->spare_count++;
}

struct step *step_new(struct db *db, enum step_kind kind, struct db_unit *u, const struct sql *sql)
{
    struct step *step = spare_take(db, &db->spare_steps, sizeof *step);
    list_init(&step->link);
    step->kind = kind;
    step->unit = u;
    step->sql = sql;
    return step;
}

void step_free(struct db *db, struct step *step)
{
    list_unlink(&step->link);
    spare_put(db, &db->spare_steps, &step->link);
}

void unit_steps_drop(struct db *db, struct list *steps)
{
    struct list *link;
    while ((link = list_first(steps))) step_free(db, list_entry(link, struct step, link));
}

struct db_unit *unit_begin(struct db_conn *c, db_done on_lost, void *arg)
{
    struct db *db = c->db;
    struct db_unit *u = spare_take(db, &db->spare_units, sizeof *u);
    u->magic = UNIT_MAGIC;
    u->conn = c;
    u->serial = ++db->serial;
    u->begun_ms = clock_mono_ms();
    u->on_lost = on_lost;
    u->lost_arg = arg;
    list_init(&u->unsent);
    list_init(&u->link);
    list_append(&c->units, &u->link);
    c->unit_count++;
    db->queue_length++;
    if (!c->sender) c->sender = u;
    if (!wheel_is_set(&c->deadline)) wheel_set(db->wheel, &c->deadline, (uint64_t) db->options.deadline_ms);
    return u;
}

static void add_statement(struct db_unit *u, const struct sql *sql, const struct db_args *args, db_done done, void *arg)
{
    struct step *step = step_new(u->conn->db, STEP_STATEMENT, u, sql);
    step->done = done;
    step->arg = arg;
    if (args && args->count > 0) {
        /* The texts are in the caller's arena already; the lists of pointers join them there. */
        size_t n = (size_t) args->count;
        char *room = arena_raw(args->arena, n * (sizeof *args->values + 2 * sizeof(int)));
        memcpy(room, args->values, n * sizeof *args->values);
        step->values = (const char *const *) room;
        room += n * sizeof *args->values;
        memcpy(room, args->lengths, n * sizeof(int));
        step->lengths = (const int *) room;
        room += n * sizeof(int);
        memcpy(room, args->formats, n * sizeof(int));
        step->formats = (const int *) room;
        step->count = args->count;
    }
    list_append(&u->unsent, &step->link);
}

void db_stmt(struct db_unit *u, const struct sql *sql, const struct db_args *args, db_done done, void *arg)
{
    must(u->magic == UNIT_MAGIC && u->state == UNIT_OPEN);
    add_statement(u, sql, args, done, arg);
}

void db_flush(struct db_unit *u)
{
    must(u->magic == UNIT_MAGIC && u->state == UNIT_OPEN);
    u->flush_wanted = true;
    send_pump(u->conn);
}

void db_sync(struct db_unit *u, db_done on_end, void *arg)
{
    must(u->magic == UNIT_MAGIC && u->state == UNIT_OPEN && on_end != NULL);
    u->on_end = on_end;
    u->end_arg = arg;
    u->state = UNIT_SYNCED;
    send_pump(u->conn);
}

void db_flush_sync(struct db_unit *u, db_done on_end, void *arg)
{
    must(u->magic == UNIT_MAGIC && u->state == UNIT_OPEN);
    u->flush_wanted = true;
    db_sync(u, on_end, arg);
}

void unit_release(struct db_unit *u)
{
    struct db_conn *c = u->conn;
    struct db *db = c->db;
    must(u->magic == UNIT_MAGIC && c->sender != u);
    unit_steps_drop(db, &u->unsent);
    list_unlink(&u->link);
    c->unit_count--;
    db->queue_length--;
    PQclear(u->error);
    PQclear(u->result);
    u->magic = 0;
    spare_put(db, &db->spare_units, &u->link);
    pool_unit_ended(db);
}

void unit_end(struct db_unit *u, enum err err)
{
    struct db_result result = { err == ERR_SQL ? u->error : err == OK ? u->result : NULL };
    bool owned = u->state == UNIT_SYNCED || u->state == UNIT_SENT;
    db_done done = owned ? u->on_end : u->state == UNIT_OPEN ? u->on_lost : NULL;
    void *arg = owned ? u->end_arg : u->lost_arg;
    if (result.pg == u->error) u->error = NULL;
    else if (result.pg == u->result) u->result = NULL;
    unit_release(u);
    if (done) done(arg, err, result.pg ? &result : NULL);
    PQclear(result.pg);
}

/* The owner is told at once; our Sync goes out behind what was sent, and its answer frees the unit. */
void unit_abandon(struct db_unit *u)
{
    must(u->state == UNIT_OPEN && u->error != NULL);
    db_done done = u->on_lost;
    unit_steps_drop(u->conn->db, &u->unsent);
    u->state = UNIT_GONE;
    send_pump(u->conn);
    struct db_result result = { u->error };
    if (done) done(u->lost_arg, ERR_SQL, &result);
}
