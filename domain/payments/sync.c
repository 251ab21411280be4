/* Every two hours (0, 2, 4 … o'clock UTC), and when asked to:
 *
 *     idle ──time, or asked──▶ claiming ──the lease is ours──▶ reading ──a page of open invoices──▶ asking
 *       ▲                         │ another has it                ▲                                   │
 *       └─────────────────────────┴─────releasing, no more pages──┴───────────all answered────────────┘
 *
 * The lease is a row with an end, renewed with every page: who dies loses it. A regular time is done once, by
 * whichever process claims it first; the others look again every minute until it is done. The invoices of a page are
 * asked for in waves: up to PARALLEL_MAX under way, more when PARALLEL_FEW are left. That is a patient pace: nobody
 * waits for it, and everybody else shares the processor. Each goes through apply.c like a callback. A provider who
 * fails ROW_MAX times in a row is left alone till next time. */
#include "domain/payments/sync.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/payments/payments_private.h"
#include "sql.h"

enum { PARALLEL_MAX = 20, PARALLEL_FEW = 5 };
enum { PAGE = 1000, ROW_MAX = 50, PERIOD_S = 2 * 60 * 60, LOOK_AGAIN_MS = 60 * 1000 };

/* An open invoice of a page. */
struct open_invoice {
    struct invoice invoice;
    struct str invoice_id;     /* the provider's */
    bool expired;              /* by the sandbox's clock */
};

/* One that is being asked for; used again and again, for its memory is large and stays warm so. */
struct checking {
    struct list link;          /* while idle */
    struct sync *sync;
    struct arena arena;
    struct apply apply;
    struct outbound_call call;
    const struct open_invoice *open;
};

struct sync {
    struct payments *payments;
    struct app *app;
    struct wheel_timer timer;
    enum { SYNC_IDLE, SYNC_CLAIMING, SYNC_READING, SYNC_ASKING, SYNC_RELEASING } state;
    struct arena arena;        /* of a statement */
    struct arena page_arena;
    struct open_invoice *page;
    int page_count, page_next; /* the first not asked for yet */
    struct checking checking[PARALLEL_MAX];
    struct list idle;
    int under_way, failures_in_a_row;
    bool asked;                /* not by the clock */
    int64_t after, checked, updated, failed;
    int64_t slot;              /* the regular time it is for, seconds since 1970 */
    uint64_t started_ms;
    char holder[64];
    void (*done)(void *arg, enum err err, int64_t checked, int64_t updated);
    void *arg;
    bool closing;
    struct turn_item close_item, go_on;
    void (*closed)(void *arg);
    void *closed_arg;
};

static void set_timer(struct sync *s)
{
    int64_t now = clock_wall_s();
    if (!s->closing) wheel_set(s->app->wheel, &s->timer, (uint64_t) (PERIOD_S - now % PERIOD_S) * 1000);
}

/* A run by the clock that was not done is tried again. */
static void look_again(struct sync *s)
{
    if (!s->asked && !s->closing) wheel_set(s->app->wheel, &s->timer, LOOK_AGAIN_MS);
}

static void be_idle(struct sync *s, enum err err)
{
    void (*done)(void *arg, enum err err, int64_t checked, int64_t updated) = s->done;
    s->state = SYNC_IDLE;
    s->done = NULL;
    arena_fini(&s->arena);
    arena_fini(&s->page_arena);
    if (done) done(s->arg, err, s->checked, s->updated);
    if (s->closing) turn_defer(&s->app->turn, &s->close_item);
}

static void put_slot(const struct sync *s, struct db_args *args)
{
    if (s->asked) db_null(args);
    else db_i64(args, s->slot);
}

/* The end of a run ---------------------------------------------------------------------------------------- */

static void on_released(void *arg, enum err err, const struct db_result *r)
{
    struct sync *s = arg;
    if (err == ERR_SQL) log_error("payments", "sync_release_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    be_idle(s, OK);
}

static void finish(struct sync *s)
{
    struct db_args args;
    s->state = SYNC_RELEASING;
    log_info("payments", "synchronised", "checked=%lld updated=%lld failed=%lld ms=%lld", (long long) s->checked,
             (long long) s->updated, (long long) s->failed, (long long) (clock_mono_ms() - s->started_ms));
    arena_fini(&s->arena);
    db_args_init(&args, &s->arena);
    db_text(&args, str_from(s->holder));
    put_slot(s, &args);
    if (db_exec(s->app->db, &sql_payments_sync_release, &args, on_released, s) != OK) be_idle(s, OK);
}

/* Asking -------------------------------------------------------------------------------------------------- */

static void read_page(struct sync *s);
static void ask_more(struct sync *s);

static void checked(struct checking *c, bool failed)
{
    struct sync *s = c->sync;
    s->under_way--;
    s->checked++;
    if (!failed) s->updated += c->apply.changed;
    s->failed += failed;
    s->failures_in_a_row = failed ? s->failures_in_a_row + 1 : 0;
    arena_fini(&c->arena);
    list_append(&s->idle, &c->link);
    turn_defer(&s->app->turn, &s->go_on);
}

static void on_applied(struct apply *a, enum err err)
{
    checked(a->arg, err != OK);
}

static void apply(struct checking *c)
{
    bool nothing;
    c->apply.done = on_applied;
    c->apply.arg = c;
    enum err err = apply_start(&c->apply, &nothing);
    if (err != OK || nothing) checked(c, err != OK);
}

static void on_answer(struct outbound_call *call, enum err err)
{
    struct checking *c = call->arg;
    struct str body = arena_str(&c->arena, buf_view(&call->answer));
    bool good = err == OK && call->status == 200 && report_parse(body, &c->arena, &c->apply.report) == OK &&
                str_eq(c->apply.report.external_id, c->apply.invoice.external_id);
    if (good) {
        apply(c);
        return;
    }
    if (err != ERR_CLOSED) {
        log_warn("payments", "not_checked", "invoice=%.*s err=%s status=%d", STR_FMT(c->open->invoice_id),
                 err_info(err)->name, call->status);
    }
    checked(c, true);
}

static void ask(struct sync *s, const struct open_invoice *open)
{
    struct checking *c = list_entry(list_shift(&s->idle), struct checking, link);
    c->open = open;
    c->apply.invoice = open->invoice;
    s->under_way++;
    if (!payments_at_xendit(s->payments)) {
        c->apply.report = (struct report){ .has_status = true, .amount = -1, .paid_amount = -1, .paid_us = INT64_MIN,
                                           .status = open->expired ? INVOICE_EXPIRED : INVOICE_PENDING };
        apply(c);
        return;
    }
    struct str path = arena_printf(&c->arena, "/v2/invoices/%.*s", STR_FMT(open->invoice_id));
    xendit_call_init(s->payments, &c->call, "GET", path, on_answer, c);
    if (outbound_start(s->app->outbound, &c->call) != OK) checked(c, true);
}

static void ask_more(struct sync *s)
{
    if (s->state != SYNC_ASKING) return;
    bool enough = s->closing || s->failures_in_a_row >= ROW_MAX;
    if (enough) s->page_next = s->page_count;
    if (s->under_way > PARALLEL_FEW) return;   /* in waves: their answers come together, too, and wake us up once */
    while (s->under_way < PARALLEL_MAX && s->page_next < s->page_count) ask(s, &s->page[s->page_next++]);
    if (s->under_way) return;
    if (!enough && s->failures_in_a_row >= ROW_MAX) enough = true;
    if (enough && !s->closing) log_error("payments", "sync_given_up", "failures=%d", s->failures_in_a_row);
    if (enough || s->page_count < PAGE) finish(s);
    else read_page(s);
}

static void on_go_on(struct turn_item *item)
{
    ask_more(list_entry(item, struct sync, go_on));
}

/* Pages --------------------------------------------------------------------------------------------------- */

static void take_page(struct sync *s, const struct db_result *r)
{
    arena_fini(&s->page_arena);
    s->page_next = 0;
    s->page_count = db_rows(r);
    if (s->page_count == 0) return;
    s->page = arena_raw(&s->page_arena, (size_t) s->page_count * sizeof *s->page);
    for (int i = 0; i < s->page_count; i++) {
        struct open_invoice *open = &s->page[i];
        invoice_take_row(&open->invoice, &s->page_arena, r, i);
        open->invoice_id = arena_str(&s->page_arena, db_cell(r, i, 9));
        open->expired = db_cell_bool(r, i, 10);
    }
    s->after = s->page[s->page_count - 1].invoice.id;
}

static void give_up(struct sync *s, enum err err)
{
    log_error("payments", "sync_failed", "err=%s", err_info(err)->name);
    look_again(s);
    be_idle(s, err == ERR_SQL ? ERR_INTERNAL : err);
}

static void on_page(void *arg, enum err err, const struct db_result *r)
{
    struct sync *s = arg;
    arena_fini(&s->arena);
    if (err != OK) {
        give_up(s, err);
        return;
    }
    take_page(s, r);
    s->state = SYNC_ASKING;
    turn_defer(&s->app->turn, &s->go_on);
}

static void read_page(struct sync *s)
{
    struct db_args args;
    s->state = SYNC_READING;
    db_args_init(&args, &s->arena);
    db_i64(&args, s->after);
    db_i64(&args, PAGE);
    db_text(&args, str_from(s->holder));
    db_text(&args, payments_at_xendit(s->payments) ? STR("xendit") : STR("sandbox"));
    enum err err = db_exec(s->app->db, &sql_payments_sync_page, &args, on_page, s);
    if (err == OK) return;
    arena_fini(&s->arena);
    give_up(s, err);
}

/* The beginning ------------------------------------------------------------------------------------------- */

static void on_claimed(void *arg, enum err err, const struct db_result *r)
{
    struct sync *s = arg;
    arena_fini(&s->arena);
    if (err == ERR_SQL) log_error("payments", "sync_claim_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    if (err == OK && db_cell_bool(r, 0, 0)) {
        read_page(s);
        return;
    }
    /* Another is at it, and may die of it; or the database could not be asked. */
    bool is_done = err == OK && db_cell_bool(r, 0, 1);
    if (!is_done) look_again(s);
    be_idle(s, err == OK ? ERR_FULL : err == ERR_SQL ? ERR_INTERNAL : err);
}

static enum err claim(struct sync *s, bool asked)
{
    struct db_args args;
    int64_t now = clock_wall_s();
    s->asked = asked;
    s->slot = now - now % PERIOD_S;
    s->after = s->checked = s->updated = s->failed = 0;
    s->failures_in_a_row = 0;
    s->started_ms = clock_mono_ms();
    db_args_init(&args, &s->arena);
    db_text(&args, str_from(s->holder));
    put_slot(s, &args);
    enum err err = db_exec(s->app->db, &sql_payments_sync_claim, &args, on_claimed, s);
    if (err == OK) s->state = SYNC_CLAIMING;
    else arena_fini(&s->arena);
    return err;
}

static void on_time(struct wheel_timer *timer)
{
    struct sync *s = list_entry(timer, struct sync, timer);
    set_timer(s);
    if (s->state == SYNC_IDLE && claim(s, false) != OK) wheel_set(s->app->wheel, &s->timer, LOOK_AGAIN_MS);
}

enum err sync_run(struct sync *s, void (*done)(void *arg, enum err err, int64_t checked, int64_t updated), void *arg)
{
    if (s->closing) return ERR_CLOSED;
    if (s->state != SYNC_IDLE) return ERR_FULL;
    enum err err = claim(s, true);
    if (err != OK) return err;
    s->done = done;
    s->arg = arg;
    return OK;
}

static void on_close(struct turn_item *item)
{
    struct sync *s = list_entry(item, struct sync, close_item);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    turn_cancel(&s->go_on);
    mem_free(s);
    closed(arg);
}

void sync_close(struct sync *s, void (*closed)(void *arg), void *arg)
{
    must(!s->closing);
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    wheel_cancel(&s->timer);
    if (s->state == SYNC_IDLE) turn_defer(&s->app->turn, &s->close_item);
    else turn_defer(&s->app->turn, &s->go_on);
}

static void init_checking(struct sync *s, struct checking *c)
{
    c->sync = s;
    arena_init(&c->arena);
    c->apply.payments = s->payments;
    c->apply.arena = &c->arena;
    list_append(&s->idle, &c->link);
}

struct sync *sync_new(struct payments *p)
{
    struct sync *s = mem_new(struct sync);
    s->payments = p;
    s->app = p->app;
    arena_init(&s->arena);
    arena_init(&s->page_arena);
    list_init(&s->idle);
    for (int i = 0; i < PARALLEL_MAX; i++) init_checking(s, &s->checking[i]);
    turn_item_init(&s->close_item, on_close);
    turn_item_init(&s->go_on, on_go_on);
    wheel_timer_init(&s->timer, on_time);
    struct str id = payments_new_id("", &s->arena);
    struct buf b = { .p = s->holder, .cap = sizeof s->holder, .max = sizeof s->holder };
    buf_str(&b, id);
    buf_char(&b, 0);
    arena_fini(&s->arena);
    set_timer(s);
    return s;
}
