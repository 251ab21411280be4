/* A queue of what is to be sent, a batch at a time:
 *
 *     idle ──look──> taking ──rows──> sending ──all ended──> settling ──> idle
 *       ^               │ none                                │    ^
 *       └───────────────┘                                     └────┘ database away: again in a second
 *
 * After a full batch, and when somebody wrote a row meanwhile, it looks again at once.
 *
 * The process holds at most one batch of 20 parcels in memory and has at most two statements under
 * way. While the database is away nothing is lost: what was sent is settled when it is back, what
 * was not taken waits in its table. */
#include "domain/outbox/outbox.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"

enum {
    BATCH_MAX = 20,           /* as in the statements that take */
    AGAIN_MS = 1000,
    LOOK_MS = 30 * 1000,      /* for rows of processes that died before they sent them */
    CLEAN_FIRST_MS = 60 * 1000,
    CLEAN_MS = 60 * 60 * 1000,
};

enum fate { PARCEL_WAITS, PARCEL_SENT, PARCEL_FAILED, PARCEL_REFUSED };

struct sending {
    struct outbox *outbox;
    struct parcel parcel;     /* in the batch's arena */
    enum fate fate;
};

struct outbox {
    struct app *app;
    struct outbox_kind kind;
    void *sender;
    struct outbox **place;
    enum { OUTBOX_IDLE, OUTBOX_TAKING, OUTBOX_SENDING, OUTBOX_SETTLING } state;
    struct arena arena;       /* of the batch */
    struct sending sendings[BATCH_MAX];
    int count, begun, under_way;
    bool asking;              /* a statement of the batch is under way */
    bool woken;               /* somebody wrote a row while we were busy */
    bool cleaning;
    uint64_t later_ms;        /* until the next one that was not due yet */
    struct wheel_timer look, clean;
    bool closing;
    struct turn_item close_item;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* Closing */

static void close_if_quiet(struct outbox *o)
{
    if (!o->closing || o->cleaning || o->state != OUTBOX_IDLE) return;
    turn_defer(&o->app->turn, &o->close_item);
}

static void on_close(struct turn_item *item)
{
    struct outbox *o = list_entry(item, struct outbox, close_item);
    void (*closed)(void *arg) = o->closed;
    void *arg = o->closed_arg;
    *o->place = NULL;
    arena_fini(&o->arena);
    mem_free(o);
    closed(arg);
}

void outbox_close(struct outbox *o, void (*closed)(void *arg), void *arg)
{
    must(!o->closing);
    o->closing = true;
    o->closed = closed;
    o->closed_arg = arg;
    wheel_cancel(&o->look);
    wheel_cancel(&o->clean);
    if (o->state == OUTBOX_SETTLING && !o->asking) o->state = OUTBOX_IDLE;   /* between two tries */
    close_if_quiet(o);
}

/* Settling */

static void be_idle(struct outbox *o, uint64_t look_ms)
{
    o->state = OUTBOX_IDLE;
    o->count = 0;
    arena_fini(&o->arena);
    if (o->closing) close_if_quiet(o);
    else wheel_set(o->app->wheel, &o->look, look_ms);
}

/* The sender did not take all: no use in asking it again at once. */
static bool any_waits(const struct outbox *o)
{
    for (int i = 0; i < o->count; i++) {
        if (o->sendings[i].fate == PARCEL_WAITS) return true;
    }
    return false;
}

static void on_settled(void *arg, enum err err, const struct db_result *r)
{
    struct outbox *o = arg;
    o->asking = false;
    if (err != OK && !o->closing) {
        log_warn(o->kind.name, "settle_failed", "err=%s message=%s", err_info(err)->name,
                 LOG_STR(str_from(r ? db_message(r) : "")));
        wheel_set(o->app->wheel, &o->look, AGAIN_MS);
        return;
    }
    for (int i = 0; err == OK && i < db_rows(r); i++)
        log_error(o->kind.name, "given_up", "%s=%lld", o->kind.name, (long long) db_cell_i64(r, i, 0));
    if (any_waits(o)) be_idle(o, AGAIN_MS);
    else be_idle(o, o->woken || o->count == BATCH_MAX ? 0 : o->later_ms);
}

static void settle(struct outbox *o)
{
    static const struct str words[] = { { "released", 8 }, { "sent", 4 }, { "failed", 6 }, { "refused", 7 } };
    int64_t ids[BATCH_MAX];
    struct str fates[BATCH_MAX];
    struct db_args args;
    o->state = OUTBOX_SETTLING;
    for (int i = 0; i < o->count; i++) {
        ids[i] = o->sendings[i].parcel.id;
        fates[i] = words[o->sendings[i].fate];
    }
    db_args_init(&args, &o->arena);
    db_i64_array(&args, ids, o->count);
    db_text_array(&args, fates, o->count);
    o->asking = db_exec(o->app->db, o->kind.settle, &args, on_settled, o) == OK;
    if (o->asking) return;
    if (o->closing) be_idle(o, 0);   /* the lease ends, and somebody sends them */
    else wheel_set(o->app->wheel, &o->look, AGAIN_MS);
}

/* Sending */

static void send_more(struct outbox *o);

static void on_sent(void *arg, enum err err)
{
    struct sending *s = arg;
    struct outbox *o = s->outbox;
    o->under_way--;
    if (err == OK) s->fate = PARCEL_SENT;
    else if (err == ERR_INVALID) s->fate = PARCEL_REFUSED;
    else if (err != ERR_CLOSED) s->fate = PARCEL_FAILED;
    if (s->fate == PARCEL_FAILED)
        log_warn(o->kind.name, "failed", "%s=%lld err=%s", o->kind.name, (long long) s->parcel.id, err_info(err)->name);
    send_more(o);
}

static void send_more(struct outbox *o)
{
    bool full = false;
    while (!full && !o->closing && o->begun < o->count) {
        struct sending *s = &o->sendings[o->begun];
        enum err err = o->kind.send(o->sender, &s->parcel, on_sent, s);
        full = err == ERR_FULL && o->under_way > 0;
        if (err == OK) o->under_way++;
        if (!full) o->begun++;   /* what cannot even begin is released */
    }
    if (o->under_way == 0) settle(o);
}

/* Taking */

static void take_row(struct outbox *o, const struct db_result *r, int row)
{
    struct sending *s = &o->sendings[o->count++];
    *s = (struct sending){ .outbox = o, .parcel.id = db_cell_i64(r, row, 0) };
    for (int i = 0; i < o->kind.columns; i++) s->parcel.cells[i] = arena_str(&o->arena, db_cell(r, row, 1 + i));
}

static void on_taken(void *arg, enum err err, const struct db_result *r)
{
    struct outbox *o = arg;
    o->asking = false;
    arena_fini(&o->arena);
    if (err != OK) {
        if (err == ERR_SQL) log_warn(o->kind.name, "take_failed", "message=%s", LOG_STR(str_from(db_message(r))));
        be_idle(o, AGAIN_MS);
        return;
    }
    int last = 1 + o->kind.columns;
    int64_t later = db_cell(r, 0, last).p ? db_cell_i64(r, 0, last) : LOOK_MS;
    o->later_ms = later < AGAIN_MS ? AGAIN_MS : later > LOOK_MS ? LOOK_MS : (uint64_t) later;
    o->begun = 0;
    for (int i = 0; i < db_rows(r) && i < BATCH_MAX; i++) {
        if (db_cell(r, i, 0).p) take_row(o, r, i);
    }
    if (o->count == 0) {
        be_idle(o, o->woken ? 0 : o->later_ms);
        return;
    }
    o->state = OUTBOX_SENDING;
    send_more(o);
}

static void take(struct outbox *o)
{
    struct db_args none;
    o->woken = false;
    db_args_init(&none, &o->arena);
    o->asking = db_exec(o->app->db, o->kind.take, &none, on_taken, o) == OK;
    if (o->asking) o->state = OUTBOX_TAKING;
    else wheel_set(o->app->wheel, &o->look, AGAIN_MS);
}

static void on_look(struct wheel_timer *timer)
{
    struct outbox *o = list_entry(timer, struct outbox, look);
    if (o->state == OUTBOX_SETTLING && !o->asking) settle(o);
    else if (o->state == OUTBOX_IDLE) take(o);
}

void outbox_wake(struct outbox *o)
{
    if (!o || o->closing) return;
    o->woken = true;
    if (o->state != OUTBOX_IDLE) return;
    wheel_cancel(&o->look);
    take(o);
}

/* Old rows, hourly */

static void on_cleaned(void *arg, enum err err, const struct db_result *r)
{
    struct outbox *o = arg;
    o->cleaning = false;
    if (err == ERR_SQL) log_warn(o->kind.name, "clean_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    if (o->closing) close_if_quiet(o);
}

static void on_clean(struct wheel_timer *timer)
{
    struct outbox *o = list_entry(timer, struct outbox, clean);
    struct arena arena;
    struct db_args none;
    wheel_set(o->app->wheel, timer, CLEAN_MS);
    if (o->cleaning) return;
    arena_init(&arena);
    db_args_init(&none, &arena);
    o->cleaning = db_exec(o->app->db, o->kind.clean, &none, on_cleaned, o) == OK;
    arena_fini(&arena);
}

struct outbox *outbox_new(struct app *app, const struct outbox_kind *kind, void *sender, struct outbox **place)
{
    must(kind->columns <= PARCEL_CELLS_MAX);
    struct outbox *o = mem_new(struct outbox);
    o->app = app;
    o->kind = *kind;
    o->sender = sender;
    o->place = place;
    arena_init(&o->arena);
    turn_item_init(&o->close_item, on_close);
    wheel_timer_init(&o->look, on_look);
    wheel_timer_init(&o->clean, on_clean);
    wheel_set(app->wheel, &o->look, AGAIN_MS);
    wheel_set(app->wheel, &o->clean, CLEAN_FIRST_MS);
    return o;
}
