/* The seeds' events, made of the canonical ones (the table in contract/70-events). An event that can be resent ends
 * with its offset as one more argument: a stock client keeps the last argument of an event when it is a string, and
 * hands it in when it comes back. */
#include "core/clock.h"
#include "core/mem.h"
#include "domain/push/socketio_private.h"

static const char *const namespaces[] = { "/", "/rewards" };

void offset_put(struct buf *b, const struct push *p, const struct offset *offset)
{
    buf_char(b, offset->kind);
    if (offset->cursor) cursor_encode(p->cursor_key, offset->user, offset->cursor, b);
}

static void begin(struct buf *b, int nsp, struct str name)
{
    buf_init(b, 1 << 20);
    sio_event_begin(b, str_from(namespaces[nsp]), name);
}

/* Ends the event, with the offset unless there is none. */
static struct ws_frame *end(struct buf *b, const struct push *p, const struct offset *offset)
{
    if (offset) {
        buf_cstr(b, ",\"");
        offset_put(b, p, offset);
        buf_char(b, '"');
    }
    sio_event_end(b);
    struct ws_frame *frame = b->failed ? NULL : ws_frame_new(WS_TEXT, buf_view(b));
    buf_fini(b);
    return frame;
}

struct ws_frame *socketio_frame_offset(const struct push *p, int nsp, const struct offset *offset)
{
    struct buf b;
    begin(&b, nsp, STR("tally:offset"));
    return end(&b, p, offset);
}

/* Transfers -------------------------------------------------------------------------------------------------------- */

static const struct json *parse(struct str text, struct arena *arena)
{
    struct json *parsed = NULL;
    const char *why;
    return text.n && json_parse(text, arena, &parsed, &why) == OK ? parsed : NULL;
}

static void put_text(struct buf *b, struct str key, const struct json *object, struct str name)
{
    const struct json *value = object ? json_get(object, name) : NULL;
    json_key(b, key);
    json_string(b, value && value->type == JSON_STRING ? value->text : STR_NONE);
}

static struct ws_frame *referral(const struct push *p, const struct ledger_event *e, const struct person *person,
                                 const struct offset *offset)
{
    struct buf b;
    struct arena arena;
    arena_init(&arena);
    const struct json *metadata = parse(e->metadata, &arena);
    begin(&b, NSP_ROOT, STR("referral-reward"));
    json_open(&b, '{');
    json_key(&b, STR("referrerId"));
    pid_json(&b, &p->app->pids, PID_USER, person->id);
    put_text(&b, STR("referredUserId"), metadata, STR("referredUserId"));
    put_text(&b, STR("referredName"), metadata, STR("referredName"));
    json_key(&b, STR("points"));
    json_int(&b, e->amount);
    json_key(&b, STR("balance"));
    json_int(&b, e->credit_after);
    json_key(&b, STR("timestamp"));
    json_time(&b, e->at_us);
    json_close(&b, '}');
    arena_fini(&arena);
    return end(&b, p, offset);
}

struct ws_frame *socketio_frame_transfer(const struct push *p, const struct ledger_event *e, const struct account *a,
                                         const struct person *person, const struct offset *offset)
{
    struct buf b;
    if (a->asset == ASSET_MONEY) {
        begin(&b, NSP_ROOT, STR("balance-updated"));
        event_put_money(&b, p, e, a);
        return end(&b, p, offset);
    }
    bool is_referral = str_eq(e->kind, STR("points.referral")) && e->credit == a->id;
    return is_referral ? referral(p, e, person, offset) : NULL;
}

/* The inbox -------------------------------------------------------------------------------------------------------- */

static void put_value(struct buf *b, struct str key, const struct json *value)
{
    json_key(b, key);
    if (!value || value->type == JSON_NULL) json_null(b);
    else if (value->type == JSON_STRING) json_string(b, value->text);
    else if (value->type == JSON_TRUE || value->type == JSON_FALSE) json_bool(b, value->type == JSON_TRUE);
    else json_raw(b, value->text);
}

/* Some members of the data under other names. */
struct naming {
    struct str from, to;
};

static void put_named(struct buf *b, const struct json *data, const struct naming *names)
{
    for (; names->from.p; names++) put_value(b, names->to, json_get(data, names->from));
}

static const struct naming level_up[] = {
    { STR("userId"), STR("userId") },
    { STR("previousLevel"), STR("previousLevel") },
    { STR("level"), STR("level") },
    { STR("lifetimePoints"), STR("lifetimePoints") },
    { STR("transactionId"), STR("transactionId") },
    { { NULL, 0 }, { NULL, 0 } },
};

static const struct naming payment[] = {
    { STR("invoiceId"), STR("invoice_id") },
    { STR("status"), STR("status") },
    { STR("amount"), STR("amount") },
    { { NULL, 0 }, { NULL, 0 } },
};

static void put_payment(struct buf *b, const struct json *data)
{
    const struct json *status = json_get(data, STR("status"));
    bool paid = status && status->type == JSON_STRING && str_eq(status->text, STR("PAID"));
    put_named(b, data, payment);
    put_value(b, STR("paid_at"), paid ? json_get(data, STR("paidAt")) : NULL);
}

struct ws_frame *socketio_frame_inbox(const struct push *p, struct str type, struct str text, int64_t at_us,
                                      const struct offset *offset)
{
    bool is_level = str_eq(type, STR("level-up")), is_payment = str_eq(type, STR("payment-status"));
    struct buf b;
    struct arena arena;
    if (!is_level && !is_payment) return NULL;
    arena_init(&arena);
    const struct json *data = parse(text, &arena);
    begin(&b, NSP_ROOT, is_level ? STR("level-up") : STR("payment:status:update"));
    json_open(&b, '{');
    if (data && is_level) put_named(&b, data, level_up);
    if (data && is_payment) put_payment(&b, data);
    if (is_level) {
        json_key(&b, STR("timestamp"));
        json_time(&b, at_us);
    }
    json_close(&b, '}');
    arena_fini(&arena);
    return end(&b, p, offset);
}

/* Rewards ---------------------------------------------------------------------------------------------------------- */

static void put_earned(struct buf *b, const struct push *p, const struct reward_event *r)
{
    json_key(b, STR("points"));
    json_int(b, r->balance);
    json_key(b, STR("pointsAdded"));
    json_int(b, r->delta);
    json_key(b, STR("category"));
    json_string(b, r->category);
    json_key(b, STR("amount"));
    json_money(b, r->amount);
    json_key(b, STR("transactionId"));
    pid_json(b, &p->app->pids, PID_TRANSFER, r->transfer);
}

static void put_redeemed(struct buf *b, const struct push *p, const struct reward_event *r)
{
    json_key(b, STR("redemptionId"));
    pid_json(b, &p->app->pids, PID_TRANSFER, r->transfer);
    json_key(b, STR("rewardType"));
    json_string(b, r->reward_type);
    json_key(b, STR("pointsRedeemed"));
    json_int(b, -r->delta);
    json_key(b, STR("remainingPoints"));
    json_int(b, r->balance);
}

void event_put_rewarded(struct buf *b, const struct push *p, const struct reward_event *r)
{
    json_open(b, '{');
    json_key(b, STR("userId"));
    json_string(b, member_id(r->member));
    if (r->delta > 0) put_earned(b, p, r);
    else put_redeemed(b, p, r);
    json_key(b, STR("timestamp"));
    json_time(b, r->at_us);
    json_close(b, '}');
}

struct str event_reward_name(const struct reward_event *r)
{
    return r->delta > 0 ? STR("pointsUpdated") : STR("rewardRedeemed");
}

struct ws_frame *socketio_frame_reward(const struct push *p, const struct reward_event *r, const struct offset *offset)
{
    struct buf b;
    begin(&b, NSP_REWARDS, event_reward_name(r));
    event_put_rewarded(&b, p, r);
    return end(&b, p, offset);
}
