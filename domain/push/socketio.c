/* Socket.IO for the clients that exist (contract/70-events): the server with its namespaces, and the way of events to
 * it. What happens to a socket at first stands in socketio_recover.c, what it hears in socketio_room.c. */
#include <stdio.h>

#include "core/log.h"
#include "domain/push/socketio_door.h"
#include "domain/push/socketio_private.h"

enum { OFFSET_EVERY = 250 }; /* after so many events of a stream that have no form here an offset is sent alone */

static const char *const namespaces[] = { "/", "/rewards", NULL };

static void on_connect(struct sio_socket *s, const struct json *auth)
{
    struct app *app = sio_context(s);
    struct patron *m = sio_extra(s);
    m->push = app->push;
    m->socket = s;
    list_init(&m->rooms);
    socketio_arrive(m, auth);
}

static void on_event(struct sio_socket *s, const struct sio_event *event)
{
    room_take_event(sio_extra(s), event);
}

static void on_disconnect(struct sio_socket *s, int why)
{
    struct patron *m = sio_extra(s);
    log_debug("socketio", "disconnected", "why=%s user=%lld", LOG_STR(str_from(sio_reason_text(why))),
              (long long) m->who.user);
    socketio_leave(m);
}

static const struct sio_handler handler = { on_connect, on_event, on_disconnect };

struct sio_server *socketio_new(struct app *app)
{
    static char prefix[EIO_PREFIX_MAX + 1]; /* outlives the call */
    snprintf(prefix, sizeof prefix, "%02x", (unsigned) app->worker & 0xff);
    struct sio_options options = {
        .engine = { .loop = app->loop,
                    .turn = &app->turn,
                    .wheel = app->wheel,
                    .metrics = &app->metrics,
                    .sid_prefix = prefix,
                    .payload_max = SOCKETIO_BODY_MAX,
                    .slow_code = CLOSE_SLOW,
                    .messages_per_second = 100 },
        .namespaces = namespaces,
        .handler = &handler,
        .context = app,
        .extra_bytes = sizeof(struct patron),
    };
    return sio_server_new(&options);
}

/* Events ----------------------------------------------------------------------------------------------------------- */

bool socketio_wants_user(const struct push *p, int64_t user)
{
    for (int room = ROOM_PERSONAL; room <= ROOM_BARE; room++) {
        if (ws_hub_wanted(&p->app->hub, room_user_key(user, (enum user_room) room))) return true;
    }
    return false;
}

static void publish(struct push *p, uint64_t key, unsigned mask, struct ws_frame *frame)
{
    if (!frame) return;
    ws_hub_publish(&p->app->hub, key, mask, frame);
    ws_frame_unref(frame);
    p->events.value++;
}

/* An event of the user's streams, once for each form that somebody gets. */
struct news {
    const struct person *person;
    const struct cursor *cursor;
    int64_t seq;
    unsigned mask;
    const struct ledger_event *transfer; /* with the account; or NULL, and */
    const struct account *account;
    struct str type, data;
    int64_t at_us;
};

static struct ws_frame *frame_of(const struct push *p, const struct news *n, enum user_room room)
{
    struct offset offset = { room == ROOM_PAYMENTS ? 'p' : 'n', n->person->id, n->cursor };
    const struct offset *kept = room == ROOM_BARE ? NULL : &offset;
    struct ws_frame *frame = NULL;
    if (n->transfer) frame = socketio_frame_transfer(p, n->transfer, n->account, n->person, kept);
    else if (room != ROOM_PERSONAL || n->mask != TOPIC_PAYMENTS) /* nobody there hears of payments */
        frame = socketio_frame_inbox(p, n->type, n->data, n->at_us, kept);
    return frame || !kept || n->seq % OFFSET_EVERY ? frame : socketio_frame_offset(p, NSP_ROOT, kept);
}

static void tell(struct push *p, const struct news *n)
{
    for (int room = ROOM_PERSONAL; room <= ROOM_BARE; room++) {
        uint64_t key = room_user_key(n->person->id, (enum user_room) room);
        unsigned mask = room == ROOM_BARE ? n->mask : TOPIC_OWN; /* only there some hear of payments and some do not */
        if (ws_hub_wanted(&p->app->hub, key)) publish(p, key, mask, frame_of(p, n, (enum user_room) room));
    }
}

void socketio_transfer(struct push *p, const struct ledger_event *e, const struct account *a,
                       const struct person *person, const struct cursor *cursor)
{
    tell(p, &(struct news){ .person = person,
                            .cursor = cursor,
                            .seq = e->debit == a->id ? e->debit_version : e->credit_version,
                            .mask = event_mask(a),
                            .transfer = e,
                            .account = a });
}

void socketio_inbox(struct push *p, const struct person *person, int64_t seq, struct str type, struct str data,
                    int64_t at_us, const struct cursor *cursor)
{
    tell(p, &(struct news){ .person = person,
                            .cursor = cursor,
                            .seq = seq,
                            .mask = event_inbox_mask(type),
                            .type = type,
                            .data = data,
                            .at_us = at_us });
}

void socketio_payment(struct push *p, uint64_t key, struct str data, int64_t at_us)
{
    if (ws_hub_wanted(&p->app->hub, key))
        publish(p, key, TOPIC_SHARED, socketio_frame_inbox(p, STR("payment-status"), data, at_us, NULL));
}

struct ws_frame *socketio_reward_bare(struct push *p, const struct reward_event *r)
{
    return socketio_frame_reward(p, r, NULL);
}

struct ws_frame *socketio_reward_offset(struct push *p, const struct reward_event *r)
{
    struct cursor cursor = { .count = 1, .streams = { { r->member->account.id, r->seq } } };
    return socketio_frame_reward(p, r, &(struct offset){ 'm', 0, &cursor });
}

/* Ends ------------------------------------------------------------------------------------------------------------- */

static struct patron *patron_of(struct ws_subscription *sub, enum user_room room)
{
    return room == ROOM_PRESENCE ? list_entry(sub, struct room, subscription)->patron
                                 : list_entry(sub, struct patron, own);
}

void socketio_restart_user(struct push *p, int64_t user)
{
    for (int room = ROOM_PERSONAL; room <= ROOM_BARE; room++) {
        struct ws_subscription *sub = NULL;
        while ((sub = ws_hub_next(&p->app->hub, room_user_key(user, (enum user_room) room), sub)))
            sio_close(patron_of(sub, (enum user_room) room)->socket, EIO_FORCED);
    }
}

void socketio_recheck_user(struct push *p, int64_t user)
{
    for (int room = 0; room < ROOM_COUNT; room++) {
        struct ws_subscription *sub = NULL;
        while ((sub = ws_hub_next(&p->app->hub, room_user_key(user, (enum user_room) room), sub))) {
            const struct patron *m = patron_of(sub, (enum user_room) room);
            if (!auth_still_good(p->app->auth, &m->who)) sio_disconnect(m->socket);
        }
    }
}

void socketio_recheck_key(struct push *p, int64_t key)
{
    struct sio_socket *s = NULL;
    while ((s = sio_next(p->app->socketio, s))) {
        const struct patron *m = sio_extra(s);
        if (m->who.key && m->who.key == key) sio_disconnect(s);
    }
}

void socketio_reloaded(struct push *p)
{
    struct sio_socket *s = NULL;
    while ((s = sio_next(p->app->socketio, s))) {
        const struct patron *m = sio_extra(s);
        bool shared = m->who.key || m->room_count > 0 || (sio_namespace(s) == NSP_REWARDS && m->own.topic);
        if (m->who.user && !auth_still_good(p->app->auth, &m->who)) sio_disconnect(s);
        else if (shared) sio_close(s, EIO_FORCED);
    }
}
