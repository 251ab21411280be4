/* Settling referrals: read what is owed, post each reward with the row that it completes, say when
 * all are through.
 *
 * A reward is posted once, whoever tries and how often: its idempotency key is the referred person,
 * and the posting completes the referral in the same commit or is none. So a handler and the
 * sweeps of several processes may meet on the same row without harm; they only wait a moment, so that
 * the handler, whose client waits, comes first. */
#include "domain/referral/referral.h"

#include "core/log.h"
#include "core/mem.h"
#include "domain/live/live.h"
#include "domain/points/points.h"
#include "sql.h"

enum { FIRST_MS = 200, SWEEP_MS = 3000, OWED_S = 2, SWEEP_ROWS = 100, METADATA_BYTES_MAX = 8192 };

struct referrals {
    struct app *app;
    struct list under_way;        /* struct settlement */
    struct wheel_timer sweep;
    bool more;                    /* the last sweep left some behind */
    struct turn_item end;
    void (*closed)(void *arg);
    void *closed_arg;
};

struct settlement {
    struct list link;
    struct referrals *referrals;
    struct arena arena;           /* rewards and statements, until the end */
    int waiting;                  /* answers not yet here */
    void (*done)(void *arg);
    void *arg;
};

struct reward {
    struct posting posting;
    struct settlement *settlement;
    int64_t referral, referrer;
};

static void on_end(struct turn_item *item)
{
    struct referrals *r = list_entry(item, struct referrals, end);
    void (*closed)(void *) = r->closed;
    void *arg = r->closed_arg;
    mem_free(r);
    closed(arg);
}

static void one_answered(struct settlement *s)
{
    struct referrals *r = s->referrals;
    if (--s->waiting > 0) return;
    list_unlink(&s->link);
    arena_fini(&s->arena);
    if (s->done) s->done(s->arg);
    mem_free(s);
    if (r->closed && list_empty(&r->under_way)) turn_defer(&r->app->turn, &r->end);
}

/* Rewards ----------------------------------------------------------------------------------------- */

static void on_posted(struct posting *p, enum err err)
{
    struct reward *w = p->arg;
    bool paid = err == OK && (p->outcome == POSTING_DONE || p->outcome == POSTING_REPLAYED);
    /* A row that was completed meanwhile, or taken back, is nothing to worry about. */
    bool overtaken = err == OK && p->outcome == POSTING_REFUSED && str_eq(str_from(p->sqlstate), STR("TL002"));
    if (!paid && !overtaken) {
        log_warn("referral", "not_settled", "referral=%lld why=%s", (long long) w->referral,
                 err != OK ? err_info(err)->name : outcome_info(p->outcome)->name);
    }
    one_answered(w->settlement);
}

static void on_decided(struct posting *p, int64_t lifetime_before)
{
    struct reward *w = p->arg;
    struct app *app = w->settlement->referrals->app;
    const struct person *referrer = book_person(&app->book, w->referrer);
    points_attach_level_up(app->points, p, 0, referrer, lifetime_before, &w->settlement->arena);
}

/* What the event of the points tells of the referred person; the referral-reward is made of it. */
static struct str metadata_of(const struct app *app, int64_t referred, struct str name, struct arena *arena)
{
    struct buf b;
    buf_init(&b, METADATA_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("referredUserId"));
    pid_json(&b, &app->pids, PID_USER, referred);
    json_key(&b, STR("referredName"));
    json_string(&b, name);
    json_close(&b, '}');
    struct str text = arena_str(arena, b.failed ? STR("{}") : buf_view(&b));
    buf_fini(&b);
    return text;
}

static enum err pay(struct settlement *s, const struct db_result *r, int row, const struct account *issuer)
{
    struct app *app = s->referrals->app;
    struct reward *w = arena_new(&s->arena, struct reward);
    struct posting *p = &w->posting;
    int64_t points = app->settings->points_referral, referred = db_cell_i64(r, row, 3);
    w->settlement = s;
    w->referral = db_cell_i64(r, row, 0);
    w->referrer = db_cell_i64(r, row, 1);
    p->legs[0] = (struct leg){ issuer->id, db_cell_i64(r, row, 2), points, STR("points.referral") };
    p->leg_count = 1;
    p->actor = referred;
    p->scope = STR("referral");
    p->key = arena_printf(&s->arena, "%lld", (long long) referred);
    p->request = arena_printf(&s->arena, "%lld", (long long) w->referral);
    p->memo = STR("Referral bonus");
    p->metadata = metadata_of(app, referred, db_cell(r, row, 4), &s->arena);
    p->attached[p->attached_count++] = (struct attached){
        .sql = &sql_referral_complete, .field_count = 2,
        .fields = { arena_printf(&s->arena, "%lld", (long long) w->referral),
                    arena_printf(&s->arena, "%lld", (long long) points) },
    };
    p->decided = on_decided;
    p->done = on_posted;
    p->arg = w;
    return ledger_submit(app->ledger, p);
}

static void on_unpaid(void *arg, enum err err, const struct db_result *r)
{
    if (err == ERR_SQL) log_warn("referral", "not_completed", "message=%s", LOG_STR(str_from(db_message(r))));
    one_answered(arg);
}

static enum err complete_unpaid(struct settlement *s, int64_t referral)
{
    struct db_args args;
    db_args_init(&args, &s->arena);
    db_i64(&args, referral);
    return db_exec(s->referrals->app->db, &sql_referral_complete_unpaid, &args, on_unpaid, s);
}

static void settle_row(struct settlement *s, const struct db_result *r, int row)
{
    struct app *app = s->referrals->app;
    const struct account *issuer = book_system(&app->book, STR("points-issuer"));
    bool free_of_charge = app->settings->points_referral == 0 || !db_cell(r, row, 2).p;
    /* Memory may not know somebody whom another process has made a moment ago; where it does, it knows better. */
    if (!book_person(&app->book, db_cell_i64(r, row, 1))) {
        live_apply_own(app->live, db_cell(r, row, 5));
        if (db_cell(r, row, 6).p) live_apply_own(app->live, db_cell(r, row, 6));
    }
    enum err err = free_of_charge ? complete_unpaid(s, db_cell_i64(r, row, 0))
                 : issuer         ? pay(s, r, row, issuer)
                                  : ERR_UNAVAILABLE;   /* nothing has been loaded yet */
    if (err == OK) s->waiting++;
}

/* Reading ------------------------------------------------------------------------------------------ */

static void on_due(void *arg, enum err err, const struct db_result *r)
{
    struct settlement *s = arg;
    if (err == ERR_SQL) log_error("referral", "due", "message=%s", LOG_STR(str_from(db_message(r))));
    for (int i = 0; err == OK && i < db_rows(r); i++) settle_row(s, r, i);
    s->referrals->more = err == OK && db_rows(r) == SWEEP_ROWS;
    one_answered(s);
}

static enum err start(struct referrals *r, int64_t person, void (*done)(void *arg), void *arg)
{
    struct settlement *s;
    struct db_args args;
    if (!r || r->closed) return ERR_CLOSED;
    s = mem_new(struct settlement);
    s->referrals = r;
    s->waiting = 1;
    s->done = done;
    s->arg = arg;
    arena_init(&s->arena);
    db_args_init(&args, &s->arena);
    if (person) db_i64(&args, person);
    else db_null(&args);
    db_i64(&args, person ? 0 : OWED_S);
    db_i64(&args, SWEEP_ROWS);
    list_append(&r->under_way, &s->link);
    enum err err = db_exec(r->app->db, &sql_referral_due, &args, on_due, s);
    if (err == OK) return OK;
    list_unlink(&s->link);
    arena_fini(&s->arena);
    mem_free(s);
    return err;
}

enum err referral_settle(struct referrals *r, int64_t person, void (*done)(void *arg), void *arg)
{
    return start(r, person, done, arg);
}

static void on_swept(void *arg)
{
    struct referrals *r = arg;
    if (!r->closed) wheel_set(r->app->wheel, &r->sweep, r->more ? FIRST_MS : SWEEP_MS);
}

static void on_sweep(struct wheel_timer *timer)
{
    struct referrals *r = list_entry(timer, struct referrals, sweep);
    r->more = false;
    if (start(r, 0, on_swept, r) != OK) on_swept(r);
}

struct referrals *referrals_new(struct app *app)
{
    struct referrals *r = mem_new(struct referrals);
    r->app = app;
    list_init(&r->under_way);
    turn_item_init(&r->end, on_end);
    wheel_timer_init(&r->sweep, on_sweep);
    wheel_set(app->wheel, &r->sweep, FIRST_MS);
    return r;
}

void referrals_close(struct referrals *r, void (*closed)(void *arg), void *arg)
{
    wheel_cancel(&r->sweep);
    r->closed = closed;
    r->closed_arg = arg;
    if (list_empty(&r->under_way)) turn_defer(&r->app->turn, &r->end);
}
