/* Telling a client what it missed. While the tables are read, newer events may be pushed to others; so when all that
 * was missing at the beginning has been sent, the numbers are compared again, and only when nothing is missing any more
 * the socket is subscribed and greeted, in one step. Nothing live can thus overtake what was missed, and nothing falls
 * between.
 *
 *     cursor ahead of us (another process was faster) ──> deferred, looked at again every 100 ms; after 3 s the tables
 *                            tell whether we are behind (try later) or the cursor is of another world (resync)
 *     for each stream: behind? read the next part, send it ──> next stream … none behind ──> subscribe, hello
 *                              └── the client reads slowly: deferred until it has taken what waits */
#include "core/log.h"
#include "core/mem.h"
#include "domain/live/live.h"
#include "domain/push/push_private.h"
#include "domain/replay/replay.h"

enum {
    POLL_MS = 100,
    DEFERRALS_MAX = 30,
    PART_BYTES = 64 << 10, /* about so much is read at once */
    PART_EVENTS_FIRST = 25,
    PART_EVENTS_MIN = 5,
    PART_EVENTS_MAX = 250,
    WAITING_BYTES_MAX = 96 << 10, /* with more than this unsent nothing further is read: one part waits to be written */
    READS_MAX = 8000,
};

struct resume {
    struct list link; /* in push.deferred, or in no list */
    struct push *push;
    struct listener *listener; /* NULL: the socket has gone, only the reading is awaited */
    struct cursor cursor;      /* what the client has by now */
    struct replay replay;
    bool reading;
    bool caught_up;      /* this process has seen all that the cursor had at the beginning */
    bool probing, found; /* asking the tables for the event that the cursor is ahead of us by */
    int deferrals, reads;
    int64_t sent, sent_bytes;
};

static void go_on(struct resume *r);
static void on_probed(struct resume *r);

static void drop(struct resume *r)
{
    list_unlink(&r->link);
    if (r->listener) r->listener->resume = NULL;
    r->listener = NULL;
    if (!r->reading) mem_free(r);
}

void resume_cancel(struct listener *l)
{
    if (l->resume) drop(l->resume);
}

static void give_up(struct resume *r)
{
    struct listener *l = r->listener;
    drop(r);
    ws_session_close(l->session, CLOSE_TRY_LATER, STR("Try again later"));
}

/* Looked at again at the next poll. */
static void defer(struct resume *r)
{
    if (!list_empty(&r->link)) return;
    list_append(&r->push->deferred, &r->link);
    if (!wheel_is_set(&r->push->poll)) wheel_set(r->push->app->wheel, &r->push->poll, POLL_MS);
}

static void send_frame(struct resume *r, unsigned mask, struct ws_frame *frame)
{
    if (!frame) return;
    if (r->listener->own_mask & mask) {
        ws_session_send(r->listener->session, frame);
        r->sent++;
        r->sent_bytes += frame->size;
    }
    ws_frame_unref(frame);
}

static void on_transfer(struct replay *replay, const struct ledger_event *e, int64_t seq)
{
    struct resume *r = list_entry(replay, struct resume, replay);
    if (!r->listener) return;
    if (r->probing) {
        r->found = true;
        return;
    }
    const struct account *a = book_account(&r->push->app->book, replay->account);
    cursor_set(&r->cursor, replay->account, seq);
    send_frame(r, event_mask(a), event_transfer(r->push, e, a, r->listener->who.person, &r->cursor));
}

static void on_inbox(struct replay *replay, int64_t seq, struct str type, struct str data, int64_t at_us)
{
    struct resume *r = list_entry(replay, struct resume, replay);
    if (!r->listener) return;
    if (r->probing) {
        r->found = true;
        return;
    }
    r->cursor.inbox = seq;
    send_frame(r, event_inbox_mask(type),
               event_inbox(r->push, r->listener->who.person, seq, type, data, at_us, &r->cursor));
}

static void on_read(struct replay *replay, enum err err)
{
    struct resume *r = list_entry(replay, struct resume, replay);
    r->reading = false;
    if (!r->listener) mem_free(r);
    else if (err != OK) give_up(r);
    else if (r->probing) on_probed(r);
    else go_on(r);
}

static void read_stream(struct resume *r, int64_t account, int64_t first, int64_t last)
{
    r->replay = (struct replay){ .app = r->push->app,
                                 .account = account,
                                 .user = r->listener->who.user,
                                 .first = first,
                                 .last = last,
                                 .on_transfer = on_transfer,
                                 .on_inbox = on_inbox,
                                 .done = on_read };
    if (++r->reads <= READS_MAX && replay_start(&r->replay) == OK) r->reading = true;
    else give_up(r);
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
    event_put_snapshot(l->push, l->who.person, &b);
    json_close(&b, '}');
    ws_session_send_text(l->session, buf_view(&b));
    buf_fini(&b);
    l->push->resyncs.value++;
}

/* How many events make a part, by the size of those that were sent. */
static int64_t part_events(const struct resume *r)
{
    if (!r->sent) return PART_EVENTS_FIRST;
    int64_t n = PART_BYTES * r->sent / r->sent_bytes;
    return n < PART_EVENTS_MIN ? PART_EVENTS_MIN : n > PART_EVENTS_MAX ? PART_EVENTS_MAX : n;
}

/* Reads the next part of one stream that is missing; of more than REPLAY_MAX events only the newest are sent. */
static void read_part(struct resume *r, int64_t account, int64_t has, int64_t now)
{
    struct listener *l = r->listener;
    int64_t part = part_events(r);
    if (now - has > REPLAY_MAX) {
        has = now - REPLAY_MAX;
        send_resync(l, account ? PID_ACCOUNT : PID_INBOX, account ? account : l->who.user);
        if (account) cursor_set(&r->cursor, account, has);
        else r->cursor.inbox = has;
    }
    read_stream(r, account, has + 1, now - has > part ? has + part : now);
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

static void finish(struct resume *r)
{
    struct listener *l = r->listener;
    int64_t sent = r->sent;
    drop(r);
    l->push->resumed.value += sent;
    greet(l, sent);
}

/* A cursor that says nothing: here is how things stand. */
static void start_over(struct listener *l)
{
    send_resync(l, PID_ACCOUNT, 0);
    greet(l, 0);
}

static void go_on(struct resume *r)
{
    const struct person *person = r->listener->who.person;
    if (ws_session_waiting(r->listener->session) > WAITING_BYTES_MAX) {
        defer(r);
        return;
    }
    for (const struct account *a = person->accounts; a; a = a->next) {
        int64_t has = cursor_seq(&r->cursor, a->id);
        if (has < a->pushed) {
            read_part(r, a->id, has, a->pushed);
            return;
        }
    }
    if (r->cursor.inbox < person->inbox_seq) read_part(r, 0, r->cursor.inbox, person->inbox_seq);
    else finish(r);
}

/* The client has seen, by another process, what has not come here yet: the event that tells so. */
static bool is_ahead(const struct resume *r, int64_t *account, int64_t *seq)
{
    const struct person *person = r->listener->who.person;
    *account = 0;
    *seq = r->cursor.inbox;
    if (*seq > person->inbox_seq) return true;
    for (int i = 0; i < r->cursor.count; i++) {
        *account = r->cursor.streams[i].account;
        *seq = r->cursor.streams[i].seq;
        const struct account *a = book_account(&r->push->app->book, *account);
        if (!a || a->pushed < *seq) return true;
    }
    return false;
}

/* Either the stream that feeds us lags badly: another process, or we later, will do better. Or nothing of the kind ever
 * happened: the cursor is of another database, or of before a restore. */
static void on_probed(struct resume *r)
{
    struct listener *l = r->listener;
    if (r->found) {
        give_up(r);
        return;
    }
    drop(r);
    start_over(l);
}

static void begin(struct resume *r)
{
    int64_t account, seq;
    if (!is_ahead(r, &account, &seq)) {
        r->caught_up = true;
        go_on(r);
    } else if (++r->deferrals <= DEFERRALS_MAX) {
        defer(r);
    } else if (live_state(r->push->app->live) == LIVE_LIVE) {
        r->probing = true;
        read_stream(r, account, seq, seq);
    } else {
        give_up(r);
    }
}

static void on_poll(struct wheel_timer *timer)
{
    struct push *p = list_entry(timer, struct push, poll);
    struct list due;
    list_init(&due);
    list_move(&due, &p->deferred);
    struct list *link;
    while ((link = list_shift(&due))) {
        struct resume *r = list_entry(link, struct resume, link);
        if (r->caught_up) go_on(r);
        else begin(r);
    }
}

void resume_poll_init(struct push *p)
{
    list_init(&p->deferred);
    wheel_timer_init(&p->poll, on_poll);
}

void resume_start(struct listener *l, struct str text)
{
    struct arena arena;
    struct resume *r = mem_new(struct resume);
    arena_init(&arena);
    list_init(&r->link);
    r->push = l->push;
    r->listener = l;
    l->resume = r;
    bool good = cursor_decode(l->push->cursor_key, l->who.user, text, &arena, &r->cursor);
    arena_fini(&arena);
    if (good) {
        begin(r);
        return;
    }
    drop(r);
    start_over(l);
}
