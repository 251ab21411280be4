#include "domain/push/catchup.h"

#include "core/mem.h"
#include "domain/live/live.h"
#include "domain/push/push_private.h"
#include "domain/replay/replay.h"

enum {
    POLL_MS = 100,
    DEFERRALS_MAX = 30,
    UNTOLD_DEFERRALS_MAX = 3,
    PART_BYTES = 64 << 10, /* about so much is read at once */
    PART_EVENTS_FIRST = 25,
    PART_EVENTS_MIN = 5,
    PART_EVENTS_MAX = 250,
    WAITING_BYTES_MAX = 96 << 10, /* with more than this unsent nothing further is read: one part waits to be written */
    READS_MAX = 8000,
};

struct catchup {
    struct list link; /* in push.deferred, or in no list */
    struct push *push;
    const struct catchup_listener *listener;
    void *owner; /* NULL: cancelled, only the reading is awaited */
    const struct person *person;
    struct cursor cursor; /* what the client has by now */
    struct replay replay;
    bool reading;
    bool caught_up;      /* this process has seen all that the cursor had at the beginning */
    bool probing, found; /* asking the tables for the event that the cursor is ahead of us by */
    int deferrals, reads;
    int64_t read, told, told_bytes;
    struct turn_item start;
};

static void go_on(struct catchup *c);
static void on_probed(struct catchup *c);

void catchup_cancel(struct catchup *c)
{
    list_unlink(&c->link);
    turn_cancel(&c->start);
    c->owner = NULL;
    if (!c->reading) mem_free(c);
}

static void fail(struct catchup *c, enum catchup_end why)
{
    const struct catchup_listener *listener = c->listener;
    void *owner = c->owner;
    catchup_cancel(c);
    listener->failed(owner, why);
}

const struct cursor *catchup_cursor(const struct catchup *c)
{
    return &c->cursor;
}

void catchup_told(struct catchup *c, size_t bytes)
{
    c->told++;
    c->told_bytes += (int64_t) bytes;
}

/* Looked at again at the next poll. */
static void defer(struct catchup *c)
{
    if (!list_empty(&c->link)) return;
    list_append(&c->push->deferred, &c->link);
    if (!wheel_is_set(&c->push->poll)) wheel_set(c->push->app->wheel, &c->push->poll, POLL_MS);
}

static void on_transfer(struct replay *replay, const struct ledger_event *e, int64_t seq)
{
    struct catchup *c = list_entry(replay, struct catchup, replay);
    c->found = true;
    if (!c->owner || c->probing) return;
    c->read++;
    cursor_set(&c->cursor, replay->account, seq);
    c->listener->transfer(c->owner, c, e, book_account(&c->push->app->book, replay->account));
}

static void on_inbox(struct replay *replay, int64_t seq, struct str type, struct str data, int64_t at_us)
{
    struct catchup *c = list_entry(replay, struct catchup, replay);
    c->found = true;
    if (!c->owner || c->probing) return;
    c->read++;
    c->cursor.inbox = seq;
    c->listener->inbox(c->owner, c, seq, type, data, at_us);
}

static void on_read(struct replay *replay, enum err err)
{
    struct catchup *c = list_entry(replay, struct catchup, replay);
    c->reading = false;
    if (!c->owner) mem_free(c);
    else if (err != OK) fail(c, CATCHUP_AWAY);
    else if (c->probing) on_probed(c);
    else go_on(c);
}

static void read_stream(struct catchup *c, int64_t account, int64_t first, int64_t last)
{
    c->replay = (struct replay){ .app = c->push->app,
                                 .account = account,
                                 .user = c->person ? c->person->id : 0,
                                 .first = first,
                                 .last = last,
                                 .on_transfer = on_transfer,
                                 .on_inbox = on_inbox,
                                 .done = on_read };
    if (++c->reads <= READS_MAX && replay_start(&c->replay) == OK) c->reading = true;
    else fail(c, CATCHUP_AWAY);
}

/* How many events make a part, by what those before came to. */
static int64_t part_events(const struct catchup *c)
{
    if (!c->read) return PART_EVENTS_FIRST;
    int64_t n = PART_BYTES * c->read / (c->told_bytes + 1);
    return n < PART_EVENTS_MIN ? PART_EVENTS_MIN : n > PART_EVENTS_MAX ? PART_EVENTS_MAX : n;
}

/* Reads the next part of one stream that is missing; of too many events only the newest are told. */
static void read_part(struct catchup *c, int64_t account, int64_t has, int64_t now)
{
    int64_t part = part_events(c);
    if (now - has > CATCHUP_STREAM_MAX) {
        enum catchup_skip answer = c->listener->skip(c->owner, c, account);
        if (answer == CATCHUP_SKIP_END) fail(c, CATCHUP_TOO_MUCH);
        if (answer != CATCHUP_SKIP_TELL) return;
        has = now - CATCHUP_STREAM_MAX;
        if (account) cursor_set(&c->cursor, account, has);
        else c->cursor.inbox = has;
    }
    read_stream(c, account, has + 1, now - has > part ? has + part : now);
}

static void finish(struct catchup *c)
{
    const struct catchup_listener *listener = c->listener;
    void *owner = c->owner;
    int64_t told = c->told;
    c->push->resumed.value += told;
    catchup_cancel(c);
    listener->caught_up(owner, told);
}

/* A stream that is behind, with its numbers: an account, or 0 for the inbox. After the last one: false. */
struct behind {
    const struct account *account;
    int64_t has, now;
};

static bool find_behind(const struct catchup *c, int64_t by_more_than, struct behind *out)
{
    const struct book *book = &c->push->app->book;
    const struct account *a = c->person ? c->person->accounts : NULL;
    for (; a; a = a->next) {
        *out = (struct behind){ a, cursor_seq(&c->cursor, a->id), a->pushed };
        if (out->now - out->has > by_more_than) return true;
    }
    for (int i = 0; !c->person && i < c->cursor.count; i++) {
        a = book_account(book, c->cursor.streams[i].account);
        *out = (struct behind){ a, c->cursor.streams[i].seq, a->pushed };
        if (out->now - out->has > by_more_than) return true;
    }
    *out = (struct behind){ NULL, c->cursor.inbox, c->person ? c->person->inbox_seq : 0 };
    return out->now - out->has > by_more_than;
}

bool catchup_is_too_much(const struct catchup *c)
{
    struct behind behind;
    return find_behind(c, CATCHUP_STREAM_MAX, &behind);
}

static void go_on(struct catchup *c)
{
    struct behind behind;
    if (c->listener->waiting(c->owner) > WAITING_BYTES_MAX) defer(c);
    else if (find_behind(c, 0, &behind)) read_part(c, behind.account ? behind.account->id : 0, behind.has, behind.now);
    else finish(c);
}

void catchup_go_on(struct catchup *c)
{
    go_on(c);
}

/* The client has seen, by another process, what has not come here yet: the event that tells so. */
static bool is_ahead(const struct catchup *c, int64_t *account, int64_t *seq)
{
    *account = 0;
    *seq = c->cursor.inbox;
    if (c->person && *seq > c->person->inbox_seq) return true;
    for (int i = 0; i < c->cursor.count; i++) {
        *account = c->cursor.streams[i].account;
        *seq = c->cursor.streams[i].seq;
        const struct account *a = book_account(&c->push->app->book, *account);
        if (!a || a->pushed < *seq) return true;
    }
    return false;
}

/* Committed here, and still to come by the stream: whoever has seen the answer expects it among what he missed. */
static bool is_untold(const struct catchup *c)
{
    const struct account *a = c->person ? c->person->accounts : NULL;
    for (; a; a = a->next) {
        if (!a->unbounded && a->version > a->pushed) return true;
    }
    return false;
}

/* Either the stream that feeds us lags badly: another process, or we later, will do better. Or nothing of the kind
 * ever happened. */
static void on_probed(struct catchup *c)
{
    fail(c, c->found ? CATCHUP_AWAY : CATCHUP_UNKNOWN);
}

static void begin(struct catchup *c)
{
    int64_t account, seq;
    /* Not for long: of an account that never rests something is always under way. */
    if (c->deferrals < UNTOLD_DEFERRALS_MAX && is_untold(c)) {
        c->deferrals++;
        defer(c);
    } else if (!is_ahead(c, &account, &seq)) {
        c->caught_up = true;
        if (c->listener->ready && !c->listener->ready(c->owner, c)) fail(c, CATCHUP_TOO_MUCH);
        else go_on(c);
    } else if (++c->deferrals <= DEFERRALS_MAX) {
        defer(c);
    } else if (live_state(c->push->app->live) == LIVE_LIVE) {
        c->probing = true;
        c->found = false;
        read_stream(c, account, seq, seq);
    } else {
        fail(c, CATCHUP_AWAY);
    }
}

static void on_start(struct turn_item *item)
{
    begin(list_entry(item, struct catchup, start));
}

struct catchup *catchup_start(struct push *p, const struct catchup_listener *listener, void *owner,
                              const struct person *person, const struct cursor *cursor)
{
    struct catchup *c = mem_new(struct catchup);
    list_init(&c->link);
    c->push = p;
    c->listener = listener;
    c->owner = owner;
    c->person = person;
    c->cursor = *cursor;
    turn_item_init(&c->start, on_start);
    turn_defer(&p->app->turn, &c->start);
    return c;
}

static void on_poll(struct wheel_timer *timer)
{
    struct push *p = list_entry(timer, struct push, poll);
    struct list due;
    list_init(&due);
    list_move(&due, &p->deferred);
    struct list *link;
    while ((link = list_shift(&due))) {
        struct catchup *c = list_entry(link, struct catchup, link);
        if (c->caught_up) go_on(c);
        else begin(c);
    }
}

void catchup_init(struct push *p)
{
    list_init(&p->deferred);
    wheel_timer_init(&p->poll, on_poll);
}
