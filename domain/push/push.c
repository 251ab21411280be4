/* From committed events to those who hear them. */
#include "domain/push/push.h"

#include "core/mem.h"
#include "domain/push/catchup.h"
#include "domain/push/push_private.h"

static struct ws_server *make_sessions(struct app *app)
{
    struct ws_options options = {
        .loop = app->loop,
        .turn = &app->turn,
        .wheel = app->wheel,
        .metrics = &app->metrics,
        .ping_interval_ms = 25000,
        .pong_timeout_ms = 20000,
        .message_max = 64 << 10,
        .queue_bytes = 256 << 10,
        .slow_code = CLOSE_SLOW,
        .extra_bytes = sizeof(struct listener),
        .messages_per_second = 100,
    };
    return ws_server_new(&options);
}

struct push *push_new(struct app *app)
{
    struct push *p = mem_new(struct push);
    p->app = app;
    /* From the database's own secret, so that every process understands every cursor. */
    uint64_t halves[2] = { siphash(app->pids.rounds[0], "cursor", 6), siphash(app->pids.rounds[1], "cursor", 6) };
    for (int i = 0; i < SIPHASH_KEY_BYTES; i++) p->cursor_key[i] = (uint8_t) (halves[i / 8] >> 8 * (i % 8));
    for (int form = 0; form < MEMBER_FORMS; form++)
        p->rewards_keys[form] = topic_member_key(p, (enum member_form) form, STR_NONE);
    catchup_init(p);
    app->ws = make_sessions(app);
    app->socketio = socketio_new(app);
    p->events =
        (struct metric){ .name = "tally_push_events_total", .help = "Events made into frames", .type = METRIC_COUNTER };
    p->resumed = (struct metric){ .name = "tally_push_resumed_total",
                                  .help = "Missed events sent to clients that came back",
                                  .type = METRIC_COUNTER };
    p->resyncs = (struct metric){ .name = "tally_push_resyncs_total",
                                  .help = "Snapshots sent instead of all that was missed",
                                  .type = METRIC_COUNTER };
    metrics_add(&app->metrics, &p->events);
    metrics_add(&app->metrics, &p->resumed);
    metrics_add(&app->metrics, &p->resyncs);
    return p;
}

void push_free(struct push *p)
{
    wheel_cancel(&p->poll);
    mem_free(p);
}

bool push_wants_user(const struct push *p, int64_t user)
{
    return user && (ws_hub_wanted(&p->app->hub, topic_user_key(user)) || socketio_wants_user(p, user));
}

static void publish(struct push *p, uint64_t key, unsigned mask, struct ws_frame *frame)
{
    if (!frame) return;
    ws_hub_publish(&p->app->hub, key, mask, frame);
    ws_frame_unref(frame);
    p->events.value++;
}

void push_transfer(struct push *p, const struct ledger_event *e, const struct account *a)
{
    struct cursor cursor;
    const struct person *person;
    if (!push_wants_user(p, a->owner) || !(person = book_person(&p->app->book, a->owner))) return;
    event_cursor_now(person, &cursor);
    socketio_transfer(p, e, a, person, &cursor);
    if (ws_hub_wanted(&p->app->hub, topic_user_key(a->owner)))
        publish(p, topic_user_key(a->owner), event_mask(a), event_transfer(p, e, a, person, &cursor));
}

/* To those who follow the payments of a username: one frame for all of them, without a cursor. */
static void tell_followers(struct push *p, const struct person *person, int64_t seq, struct str data, int64_t at_us)
{
    struct str name = str_from(person->username);
    uint64_t key = topic_payments_key(p, PAYMENTS_WS, name);
    if (ws_hub_wanted(&p->app->hub, key))
        publish(p, key, TOPIC_SHARED, event_inbox(p, person, seq, STR("payment-status"), data, at_us, NULL));
    socketio_payment(p, topic_payments_key(p, PAYMENTS_SOCKETIO, name), data, at_us);
}

void push_inbox(struct push *p, const struct person *person, int64_t seq, struct str type, struct str data,
                int64_t at_us)
{
    struct cursor cursor;
    unsigned mask = event_inbox_mask(type);
    if (mask == TOPIC_PAYMENTS) tell_followers(p, person, seq, data, at_us);
    if (!push_wants_user(p, person->id)) return;
    event_cursor_now(person, &cursor);
    socketio_inbox(p, person, seq, type, data, at_us, &cursor);
    if (ws_hub_wanted(&p->app->hub, topic_user_key(person->id)))
        publish(p, topic_user_key(person->id), mask, event_inbox(p, person, seq, type, data, at_us, &cursor));
}

static void close_user(struct push *p, int64_t user, bool only_bad, int code, struct str reason)
{
    struct ws_subscription *sub = NULL;
    while ((sub = ws_hub_next(&p->app->hub, topic_user_key(user), sub))) {
        const struct listener *l = list_entry(sub, struct listener, own);
        if (!only_bad || !auth_still_good(p->app->auth, &l->who)) ws_session_close(l->session, code, reason);
    }
}

void push_restart_user(struct push *p, int64_t user)
{
    close_user(p, user, false, CLOSE_TRY_LATER, STR("Resume from your cursor"));
    socketio_restart_user(p, user);
}

void push_recheck_user(struct push *p, int64_t user)
{
    close_user(p, user, true, CLOSE_TOKEN, STR("Token revoked"));
    socketio_recheck_user(p, user);
}

void push_reloaded(struct push *p)
{
    struct ws_session *s = NULL;
    while ((s = ws_server_next(p->app->ws, s))) {
        const struct listener *l = listener_of(s);
        if (l->who.user && !auth_still_good(p->app->auth, &l->who))
            ws_session_close(s, CLOSE_TOKEN, STR("Token revoked"));
        else if (l->who.key || !list_empty(&l->extra)) ws_session_close(s, CLOSE_TRY_LATER, STR("Events were missed"));
    }
    socketio_reloaded(p);
}

void push_recheck_key(struct push *p, int64_t key)
{
    struct ws_session *s = NULL;
    while ((s = ws_server_next(p->app->ws, s))) {
        const struct listener *l = listener_of(s);
        if (l->who.key && l->who.key == key) ws_session_close(s, CLOSE_TOKEN, STR("Key revoked"));
    }
    socketio_recheck_key(p, key);
}
