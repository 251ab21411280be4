/* Canonical events (contract/70-events) as frames: one text for all who hear it. */
#include <string.h>

#include "core/clock.h"
#include "domain/points/points.h"
#include "domain/push/push_private.h"

void event_cursor_now(const struct person *person, struct cursor *out)
{
    out->inbox = person->inbox_seq;
    out->count = 0;
    for (const struct account *a = person->accounts; a && out->count < CURSOR_STREAMS_MAX; a = a->next) {
        if (a->pushed > 0) out->streams[out->count++] = (struct cursor_stream){ a->id, a->pushed };
    }
}

enum topic_mask event_mask(const struct account *a)
{
    return a->asset == ASSET_MONEY ? TOPIC_ACCOUNTS : TOPIC_POINTS;
}

enum topic_mask event_inbox_mask(struct str type)
{
    return str_eq(type, STR("payment-status")) ? TOPIC_PAYMENTS : TOPIC_POINTS;
}

/* {"type":…,"stream":…,"seq":…,"cursor":…,"at":…,"data": — the data and the closing brace follow. Without a cursor
 * when it is for everybody. */
static void put_head(struct buf *b, const struct push *p, struct str type, enum pid_kind kind, int64_t stream,
                     int64_t seq, int64_t at_us, int64_t user, const struct cursor *cursor)
{
    json_open(b, '{');
    json_key(b, STR("type"));
    json_string(b, type);
    json_key(b, STR("stream"));
    pid_json(b, &p->app->pids, kind, stream);
    json_key(b, STR("seq"));
    json_int(b, seq);
    if (cursor) {
        json_key(b, STR("cursor"));
        buf_char(b, '"');
        cursor_encode(p->cursor_key, user, cursor, b);
        buf_char(b, '"');
    }
    json_key(b, STR("at"));
    json_time(b, at_us);
    json_key(b, STR("data"));
}

/* Where the delta's digits stand, for conflation. */
struct delta_place {
    int64_t value;
    size_t at, size;
    bool is_money;
};

static void put_delta(struct buf *b, struct delta_place *place, int64_t value, bool is_money)
{
    json_key(b, STR("delta"));
    *place = (struct delta_place){ .value = value, .at = b->n, .is_money = is_money };
    if (is_money) json_money(b, value);
    else json_int(b, value);
    place->size = b->n - place->at;
}

/* "points.purchase_return" is told as a purchase, with a negative delta. */
static struct str points_reason(struct str kind)
{
    struct str rest = kind;
    str_cut(&rest, '.');
    return str_eq(rest, STR("purchase_return")) ? STR("purchase") : rest;
}

/* A text member of the transfer's metadata, or null. */
static void put_metadata(struct buf *b, struct str key, const struct json *metadata)
{
    const struct json *value = metadata ? json_get(metadata, key) : NULL;
    json_key(b, key);
    json_string(b, value && value->type == JSON_STRING ? value->text : STR_NONE);
}

static void put_points(struct buf *b, const struct push *p, const struct ledger_event *e, const struct account *a,
                       const struct person *person, int64_t balance, int64_t delta, struct delta_place *place)
{
    struct arena arena;
    struct json *metadata = NULL;
    const char *why;
    arena_init(&arena);
    if (e->metadata.n && json_parse(e->metadata, &arena, &metadata, &why) != OK) metadata = NULL;
    json_open(b, '{');
    json_key(b, STR("program"));
    json_string(b, STR("points"));
    json_key(b, STR("userId"));
    pid_json(b, &p->app->pids, PID_USER, person->id);
    json_key(b, STR("username"));
    json_string(b, str_from(person->username));
    json_key(b, STR("reason"));
    json_string(b, points_reason(e->kind));
    put_delta(b, place, delta, false);
    json_key(b, STR("balance"));
    json_int(b, balance);
    json_key(b, STR("lifetimePoints"));
    json_int(b, e->lifetime_after == INT64_MIN ? a->lifetime : e->lifetime_after);
    json_key(b, STR("transactionId"));
    pid_json(b, &p->app->pids, PID_TRANSFER, e->transfer);
    put_metadata(b, STR("category"), metadata);
    put_metadata(b, STR("rewardType"), metadata);
    put_metadata(b, STR("referredUserId"), metadata);
    json_close(b, '}');
    arena_fini(&arena);
}

static void put_reward(struct buf *b, const struct push *p, const struct reward_event *r, struct delta_place *place)
{
    json_open(b, '{');
    json_key(b, STR("program"));
    json_string(b, STR("rewards"));
    json_key(b, STR("userId"));
    json_string(b, member_id(r->member));
    json_key(b, STR("username"));
    json_null(b);
    json_key(b, STR("reason"));
    json_string(b, r->delta > 0 ? STR("earn") : STR("redeem"));
    put_delta(b, place, r->delta, false);
    json_key(b, STR("balance"));
    json_int(b, r->balance);
    json_key(b, STR("lifetimePoints"));
    json_null(b);
    json_key(b, STR("transactionId"));
    pid_json(b, &p->app->pids, PID_TRANSFER, r->transfer);
    json_key(b, STR("category"));
    json_string(b, r->category);
    json_key(b, STR("rewardType"));
    json_string(b, r->reward_type);
    json_key(b, STR("referredUserId"));
    json_null(b);
    json_close(b, '}');
}

static void put_money(struct buf *b, const struct push *p, const struct ledger_event *e, const struct account *a,
                      struct delta_place *place)
{
    bool is_debit = e->debit == a->id;
    json_open(b, '{');
    json_key(b, STR("account"));
    pid_json(b, &p->app->pids, PID_ACCOUNT, a->id);
    json_key(b, STR("kind"));
    json_string(b, account_kind_name(a->kind));
    put_delta(b, place, is_debit ? -e->amount : e->amount, true);
    json_key(b, STR("balance"));
    json_money(b, is_debit ? e->debit_after : e->credit_after);
    json_key(b, STR("currency"));
    json_string(b, str_from(p->app->settings->currency));
    json_key(b, STR("transactionId"));
    pid_json(b, &p->app->pids, PID_TRANSFER, e->transfer);
    json_key(b, STR("reason"));
    json_string(b, e->kind);
    json_close(b, '}');
}

void event_put_money(struct buf *b, const struct push *p, const struct ledger_event *e, const struct account *a)
{
    struct delta_place place;
    put_money(b, p, e, a, &place);
}

/* Ends the event's object; of several that wait the newest may stand for all. */
static struct ws_frame *account_frame(struct buf *b, const struct account *a, const struct delta_place *place)
{
    json_close(b, '}');
    if (b->failed) return NULL;
    struct ws_frame *frame = ws_frame_new(WS_TEXT, buf_view(b));
    frame->key = (uint64_t) a->id;
    frame->delta = place->value;
    frame->delta_at = (uint32_t) place->at;
    frame->delta_size = (uint32_t) place->size;
    frame->delta_is_money = place->is_money;
    return frame;
}

struct ws_frame *event_transfer(struct push *p, const struct ledger_event *e, const struct account *a,
                                const struct person *person, const struct cursor *cursor)
{
    char text[EVENT_BYTES_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text }; /* on the stack: it never grows */
    struct delta_place place;
    bool is_debit = e->debit == a->id;
    int64_t balance = is_debit ? e->debit_after : e->credit_after;
    int64_t seq = is_debit ? e->debit_version : e->credit_version;
    int64_t delta = is_debit ? -e->amount : e->amount;
    bool is_money = a->asset == ASSET_MONEY;
    put_head(&b, p, is_money ? STR("balance-updated") : STR("points-updated"), PID_ACCOUNT, a->id, seq, e->at_us,
             person->id, cursor);
    if (is_money) put_money(&b, p, e, a, &place);
    else put_points(&b, p, e, a, person, balance, delta, &place);
    return account_frame(&b, a, &place);
}

struct ws_frame *event_reward(struct push *p, const struct reward_event *r)
{
    char text[EVENT_BYTES_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text }; /* on the stack: it never grows */
    struct delta_place place;
    const struct account *a = &r->member->account;
    put_head(&b, p, STR("points-updated"), PID_ACCOUNT, a->id, r->seq, r->at_us, 0, NULL);
    put_reward(&b, p, r, &place);
    return account_frame(&b, a, &place);
}

struct ws_frame *event_inbox(struct push *p, const struct person *person, int64_t seq, struct str type, struct str data,
                             int64_t at_us, const struct cursor *cursor)
{
    struct buf b;
    struct arena arena;
    struct json *parsed;
    const char *why;
    buf_init(&b, 1 << 20);
    put_head(&b, p, type, PID_INBOX, person->id, seq, at_us, person->id, cursor);
    json_raw(&b, data);
    json_close(&b, '}');
    struct ws_frame *frame = ws_frame_new(WS_TEXT, buf_view(&b));
    buf_fini(&b);
    /* The newest state stands for all: of the level, or of one invoice. */
    arena_init(&arena);
    if (json_parse(data, &arena, &parsed, &why) == OK) {
        const struct json *invoice = json_get(parsed, STR("invoiceId"));
        struct str object = invoice && invoice->type == JSON_STRING ? invoice->text : type;
        frame->key = siphash(p->cursor_key, object.p, object.n) | (uint64_t) 1 << 63;
    }
    arena_fini(&arena);
    return frame;
}

static void put_account_state(struct buf *b, struct push *p, const struct account *a)
{
    json_open(b, '{');
    json_key(b, STR("account"));
    pid_json(b, &p->app->pids, PID_ACCOUNT, a->id);
    json_key(b, STR("seq"));
    json_int(b, a->version);
    json_key(b, STR("kind"));
    json_string(b, account_kind_name(a->kind));
    json_key(b, STR("balance"));
    if (a->asset == ASSET_MONEY) json_money(b, a->balance);
    else json_int(b, a->balance);
    json_key(b, STR("currency"));
    json_string(b, a->asset == ASSET_MONEY ? str_from(p->app->settings->currency) : STR_NONE);
    if (a->kind == ACCOUNT_POINTS) {
        const struct level *next, *level = points_level(p->app->points, a->lifetime, &next);
        json_key(b, STR("lifetimePoints"));
        json_int(b, a->lifetime);
        json_key(b, STR("level"));
        if (level) points_put_level(b, level);
        else json_null(b);
    }
    json_close(b, '}');
}

void event_put_snapshot(struct push *p, const struct person *person, struct str invoices, struct buf *out)
{
    json_open(out, '{');
    json_key(out, STR("accounts"));
    json_open(out, '[');
    for (const struct account *a = person->accounts; a; a = a->next) put_account_state(out, p, a);
    json_close(out, ']');
    json_key(out, STR("invoices"));
    json_raw(out, invoices);
    json_close(out, '}');
}
