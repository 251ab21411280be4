/* The queue of mails, a batch at a time:
 *
 *     idle ──look──> taking ──rows──> sending ──all ended──> settling ──> idle
 *       ^               │ none                                │    ^
 *       └───────────────┘                                     └────┘ database away: again in a second
 *
 * After a full batch, and when somebody wrote a mail meanwhile, it looks again at once.
 *
 * The process holds at most one batch of 20 mails in memory and has at most two statements under
 * way. While the database is away nothing is lost: what was sent is settled when it is back, what
 * was not taken waits in its table. */
#include "domain/mail/outbox.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "sql.h"

enum {
    BATCH_MAX = 20,           /* as in outbox_take.sql */
    AGAIN_MS = 1000,
    LOOK_MS = 30 * 1000,      /* for mails of processes that died before they sent them */
    CLEAN_FIRST_MS = 60 * 1000,
    CLEAN_MS = 60 * 60 * 1000,
};

enum outcome_of_letter { LETTER_WAITS, LETTER_SENT, LETTER_FAILED, LETTER_REFUSED };

struct letter {
    struct outbox *outbox;
    struct mail mail;         /* in the batch's arena */
    enum outcome_of_letter outcome;
};

struct outbox {
    struct app *app;
    struct mailer *mailer;
    enum { OUTBOX_IDLE, OUTBOX_TAKING, OUTBOX_SENDING, OUTBOX_SETTLING } state;
    struct arena arena;       /* of the batch */
    struct letter letters[BATCH_MAX];
    int count, begun, under_way;
    bool asking;              /* a statement of the batch is under way */
    bool woken;               /* somebody wrote a mail while we were busy */
    bool cleaning;
    uint64_t later_ms;        /* until the next mail that was not due yet */
    struct wheel_timer look, clean;
    bool closing;
    struct turn_item close_item;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* Closing
 * ---------------------------------------------------------------------------------------------
 * --- */

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
    o->app->outbox = NULL;
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

/* Settling
 * ---------------------------------------------------------------------------------------------
 * -- */

static void be_idle(struct outbox *o, uint64_t look_ms)
{
    o->state = OUTBOX_IDLE;
    o->count = 0;
    arena_fini(&o->arena);
    if (o->closing) close_if_quiet(o);
    else wheel_set(o->app->wheel, &o->look, look_ms);
}

/* The mailer did not take all: no use in asking it again at once. */
static bool any_waits(const struct outbox *o)
{
    for (int i = 0; i < o->count; i++) {
        if (o->letters[i].outcome == LETTER_WAITS) return true;
    }
    return false;
}

static void on_settled(void *arg, enum err err, const struct db_result *r)
{
    struct outbox *o = arg;
    o->asking = false;
    if (err != OK && !o->closing) {
        log_warn("mail", "settle_failed", "err=%s message=%s", err_info(err)->name,
                 LOG_STR(str_from(r ? db_message(r) : "")));
        wheel_set(o->app->wheel, &o->look, AGAIN_MS);
        return;
    }
    for (int i = 0; err == OK && i < db_rows(r); i++)
        log_error("mail", "given_up", "mail=%lld", (long long) db_cell_i64(r, i, 0));
    if (any_waits(o)) be_idle(o, AGAIN_MS);
    else be_idle(o, o->woken || o->count == BATCH_MAX ? 0 : o->later_ms);
}

static void settle(struct outbox *o)
{
    static const struct str words[] = { { "released", 8 }, { "sent", 4 }, { "failed", 6 }, { "refused", 7 } };
    int64_t ids[BATCH_MAX];
    struct str outcomes[BATCH_MAX];
    struct db_args args;
    o->state = OUTBOX_SETTLING;
    for (int i = 0; i < o->count; i++) {
        ids[i] = o->letters[i].mail.id;
        outcomes[i] = words[o->letters[i].outcome];
    }
    db_args_init(&args, &o->arena);
    db_i64_array(&args, ids, o->count);
    db_text_array(&args, outcomes, o->count);
    o->asking = db_exec(o->app->db, &sql_mail_outbox_settle, &args, on_settled, o) == OK;
    if (o->asking) return;
    if (o->closing) be_idle(o, 0);   /* the lease ends, and somebody sends them */
    else wheel_set(o->app->wheel, &o->look, AGAIN_MS);
}

/* Sending
 * ---------------------------------------------------------------------------------------------
 * --- */

static void send_more(struct outbox *o);

static void on_sent(void *arg, enum err err)
{
    struct letter *letter = arg;
    struct outbox *o = letter->outbox;
    o->under_way--;
    if (err == OK) letter->outcome = LETTER_SENT;
    else if (err == ERR_INVALID) letter->outcome = LETTER_REFUSED;
    else if (err != ERR_CLOSED) letter->outcome = LETTER_FAILED;
    if (letter->outcome == LETTER_FAILED)
        log_warn("mail", "failed", "mail=%lld err=%s", (long long) letter->mail.id, err_info(err)->name);
    send_more(o);
}

static void send_more(struct outbox *o)
{
    bool full = false;
    while (!full && !o->closing && o->begun < o->count) {
        struct letter *letter = &o->letters[o->begun];
        enum err err = mailer_send(o->mailer, &letter->mail, on_sent, letter);
        full = err == ERR_FULL && o->under_way > 0;
        if (err == OK) o->under_way++;
        if (!full) o->begun++;   /* what cannot even begin is released */
    }
    if (o->under_way == 0) settle(o);
}

/* Taking
 * ---------------------------------------------------------------------------------------------
 * ---- */

static void take_row(struct outbox *o, const struct db_result *r, int row)
{
    o->letters[o->count++] = (struct letter){
        .outbox = o,
        .mail = {
            .id = db_cell_i64(r, row, 0),
            .to = arena_str(&o->arena, db_cell(r, row, 1)),
            .subject = arena_str(&o->arena, db_cell(r, row, 2)),
            .text = arena_str(&o->arena, db_cell(r, row, 3)),
            .html = arena_str(&o->arena, db_cell(r, row, 4)),
        },
    };
}

static void on_taken(void *arg, enum err err, const struct db_result *r)
{
    struct outbox *o = arg;
    o->asking = false;
    arena_fini(&o->arena);
    if (err != OK) {
        if (err == ERR_SQL) log_warn("mail", "take_failed", "message=%s", LOG_STR(str_from(db_message(r))));
        be_idle(o, AGAIN_MS);
        return;
    }
    int64_t later = db_cell(r, 0, 5).p ? db_cell_i64(r, 0, 5) : LOOK_MS;
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
    o->asking = db_exec(o->app->db, &sql_mail_outbox_take, &none, on_taken, o) == OK;
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

/* Old mails, hourly
 * ---------------------------------------------------------------------------------------- */

static void on_cleaned(void *arg, enum err err, const struct db_result *r)
{
    struct outbox *o = arg;
    o->cleaning = false;
    if (err == ERR_SQL) log_warn("mail", "clean_failed", "message=%s", LOG_STR(str_from(db_message(r))));
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
    o->cleaning = db_exec(o->app->db, &sql_mail_outbox_clean, &none, on_cleaned, o) == OK;
    arena_fini(&arena);
}

struct outbox *outbox_new(struct app *app, struct mailer *mailer)
{
    struct outbox *o = mem_new(struct outbox);
    o->app = app;
    o->mailer = mailer;
    arena_init(&o->arena);
    turn_item_init(&o->close_item, on_close);
    wheel_timer_init(&o->look, on_look);
    wheel_timer_init(&o->clean, on_clean);
    wheel_set(app->wheel, &o->look, AGAIN_MS);
    wheel_set(app->wheel, &o->clean, CLEAN_FIRST_MS);
    return o;
}
