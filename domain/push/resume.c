/* A client of /ws that hands in a cursor: is told what he missed, then greeted. What is too much to be told, or a
 * cursor that says nothing, is answered with how things stand ("resync"). Balances are in memory, open invoices in
 * the tables; whatever is committed while they are read is told after the snapshot. */
#include "core/log.h"
#include "core/mem.h"
#include "domain/push/catchup.h"
#include "domain/push/push_private.h"
#include "sql.h"

/* The invoices of the next snapshot; outlives its socket when need be. */
struct standing {
    struct listener *listener; /* NULL: nobody waits for it any more */
    struct arena arena;
    struct str invoices;       /* STR_NONE: being read */
    struct cursor since;       /* of the moment before they were read */
};

static void free_standing(struct standing *s)
{
    arena_fini(&s->arena);
    mem_free(s);
}

static void drop_standing(struct listener *l)
{
    struct standing *s = l->standing;
    l->standing = NULL;
    if (!s) return;
    s->listener = NULL;
    if (s->invoices.p) free_standing(s);
}

void resume_cancel(struct listener *l)
{
    if (l->catchup) catchup_cancel(l->catchup);
    l->catchup = NULL;
    drop_standing(l);
}

static void send_frame(struct listener *l, struct catchup *c, unsigned mask, struct ws_frame *frame)
{
    if (!frame) return;
    if (l->own_mask & mask) {
        ws_session_send(l->session, frame);
        catchup_told(c, frame->size);
    }
    ws_frame_unref(frame);
}

static void on_transfer(void *owner, struct catchup *c, const struct ledger_event *e, const struct account *a)
{
    struct listener *l = owner;
    send_frame(l, c, event_mask(a), event_transfer(l->push, e, a, l->who.person, catchup_cursor(c)));
}

static void on_inbox(void *owner, struct catchup *c, int64_t seq, struct str type, struct str data, int64_t at_us)
{
    struct listener *l = owner;
    send_frame(l, c, event_inbox_mask(type),
               event_inbox(l->push, l->who.person, seq, type, data, at_us, catchup_cursor(c)));
}

static void on_invoices(void *arg, enum err err, const struct db_result *r);

static enum err read_standing(struct listener *l)
{
    struct standing *s = mem_new(struct standing);
    struct db_args args;
    arena_init(&s->arena);
    s->listener = l;
    event_cursor_now(l->who.person, &s->since);
    db_args_init(&args, &s->arena);
    db_i64(&args, l->who.user);
    db_text(&args, str_from(l->push->app->settings->currency));
    enum err err = db_exec(l->push->app->db, &sql_push_open_invoices, &args, on_invoices, s);
    if (err == OK) l->standing = s;
    else free_standing(s);
    return err;
}

/* {"type":"resync","stream":…,"snapshot":…}: too much was missed, or the cursor says nothing (then without stream). */
static void send_resync(struct listener *l, enum pid_kind kind, int64_t stream)
{
    struct buf b;
    char pid[PID_CHARS];
    buf_init(&b, 1 << 17);
    json_open(&b, '{');
    json_key(&b, STR("type"));
    json_string(&b, STR("resync"));
    if (stream) {
        pid_encode(&l->push->app->pids, kind, stream, pid);
        json_key(&b, STR("stream"));
        json_string(&b, (struct str){ pid, sizeof pid });
    }
    json_key(&b, STR("snapshot"));
    event_put_snapshot(l->push, l->who.person, l->standing->invoices, &b);
    json_close(&b, '}');
    ws_session_send_text(l->session, buf_view(&b));
    buf_fini(&b);
    l->push->resyncs.value++;
    drop_standing(l);
}

/* Each snapshot has its own reading, so that none tells of invoices as they were before it. */
static enum catchup_skip on_skip(void *owner, struct catchup *c, int64_t account)
{
    struct listener *l = owner;
    (void) c;
    if (!l->standing) return read_standing(l) == OK ? CATCHUP_SKIP_WAIT : CATCHUP_SKIP_END;
    send_resync(l, account ? PID_ACCOUNT : PID_INBOX, account ? account : l->who.user);
    return CATCHUP_SKIP_TELL;
}

static size_t on_waiting(void *owner)
{
    return ws_session_waiting(((struct listener *) owner)->session);
}

/* From here on what is pushed is heard. A token that was revoked meanwhile is noticed here: push_recheck_user has not
 * met us. */
static void greet(struct listener *l, int64_t sent)
{
    struct push *p = l->push;
    if (!auth_still_good(p->app->auth, &l->who)) {
        ws_session_close(l->session, CLOSE_TOKEN, STR("Token revoked"));
        return;
    }
    ws_hub_subscribe(&p->app->hub, &l->own, ws_session_outlet(l->session), topic_user_key(l->who.user), l->own_mask);
    listener_hello(l, sent);
}

static void on_caught_up(void *owner, int64_t told)
{
    struct listener *l = owner;
    l->catchup = NULL;
    greet(l, told);
}

static void try_later(struct listener *l)
{
    ws_session_close(l->session, CLOSE_TRY_LATER, STR("Try again later"));
}

/* A cursor that says nothing: how things stand is told, and then what has come since. */
static void start_over(struct listener *l)
{
    if (read_standing(l) != OK) try_later(l);
}

static void on_failed(void *owner, enum catchup_end why)
{
    struct listener *l = owner;
    l->catchup = NULL;
    if (why == CATCHUP_UNKNOWN) start_over(l);
    else try_later(l);
}

static const struct catchup_listener resuming = {
    .transfer = on_transfer,
    .inbox = on_inbox,
    .skip = on_skip,
    .waiting = on_waiting,
    .caught_up = on_caught_up,
    .failed = on_failed,
};

static void on_invoices(void *arg, enum err err, const struct db_result *r)
{
    struct standing *s = arg;
    struct listener *l = s->listener;
    if (err == ERR_SQL) log_error("ws", "snapshot_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    if (!l || err != OK) {
        if (l) {
            l->standing = NULL;
            resume_cancel(l);
            try_later(l);
        }
        free_standing(s);
        return;
    }
    s->invoices = arena_str(&s->arena, db_cell(r, 0, 0));
    if (l->catchup) {
        catchup_go_on(l->catchup);
        return;
    }
    struct cursor since = s->since;
    send_resync(l, PID_ACCOUNT, 0);
    l->catchup = catchup_start(l->push, &resuming, l, l->who.person, &since);
}

void resume_start(struct listener *l, struct str text)
{
    struct arena arena;
    struct cursor cursor;
    arena_init(&arena);
    bool good = cursor_decode(l->push->cursor_key, l->who.user, text, &arena, &cursor);
    arena_fini(&arena);
    if (good) l->catchup = catchup_start(l->push, &resuming, l, l->who.person, &cursor);
    else start_over(l);
}
