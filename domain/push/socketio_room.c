/* Who hears what over Socket.IO. In "/" a valid token alone opens the user's personal room, and payments are
 * subscribed to by username; in "/rewards" those who may hear of members hear of all, or only of those they ask for. */
#include <string.h>

#include "core/mem.h"
#include "domain/push/socketio_private.h"

enum { NAME_MAX_BYTES = 256, ACK_BYTES_MAX = 256 };

uint64_t room_user_key(int64_t user, enum user_room room)
{
    return (uint64_t) user | (uint64_t) (room + 1) << 56;
}

static void ack(struct patron *m, const struct sio_event *event, const char *refusal)
{
    char text[ACK_BYTES_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text }; /* on the stack: it never grows */
    if (event->ack < 0) return;
    json_open(&b, '{');
    json_key(&b, STR("status"));
    json_bool(&b, !refusal);
    if (refusal) {
        json_key(&b, STR("message"));
        json_string(&b, str_from(refusal));
    }
    json_close(&b, '}');
    sio_ack(m->socket, event->ack, buf_view(&b));
}

/* {"username":"john_doe"}, or the text itself; STR_NONE for anything else. */
static struct str argument(const struct sio_event *event, struct str name)
{
    const struct json *value = event->args;
    if (value && value->type == JSON_OBJECT) value = json_get(value, name);
    bool good = value && value->type == JSON_STRING && value->text.n > 0 && value->text.n <= NAME_MAX_BYTES;
    return good ? value->text : STR_NONE;
}

/* Topics ----------------------------------------------------------------------------------------------------------- */

static void subscribe(struct patron *m, struct ws_subscription *sub, uint64_t key, uint32_t mask)
{
    ws_hub_subscribe(&m->push->app->hub, sub, sio_outlet(m->socket), key, mask);
}

static void unsubscribe(struct patron *m, struct ws_subscription *sub)
{
    ws_hub_unsubscribe(&m->push->app->hub, sub);
}

static struct room *find(struct patron *m, struct str name)
{
    list_each(&m->rooms, it)
    {
        struct room *r = list_entry(it, struct room, link);
        if (str_eq(r->name, name)) return r;
    }
    return NULL;
}

static struct room *room_new(struct patron *m, struct str name)
{
    struct room *r = mem_alloc(sizeof *r + name.n);
    r->patron = m;
    char *copy = (char *) (r + 1);
    if (name.n) memcpy(copy, name.p, name.n);
    r->name = name.n ? (struct str){ copy, name.n } : STR_NONE;
    list_append(&m->rooms, &r->link);
    m->room_count += name.n > 0;
    return r;
}

static void room_free(struct patron *m, struct room *r)
{
    unsubscribe(m, &r->subscription);
    list_unlink(&r->link);
    m->room_count -= r->name.n > 0;
    mem_free(r);
}

void room_leave_all(struct patron *m)
{
    unsubscribe(m, &m->own);
    while (!list_empty(&m->rooms)) room_free(m, list_entry(list_first(&m->rooms), struct room, link));
}

bool room_has_member(struct patron *m, const struct reward_member *member)
{
    return find(m, member_id(member)) != NULL;
}

const struct reward_member *room_only_member(const struct patron *m)
{
    if (m->room_count != 1) return NULL;
    for (const struct list *it = m->rooms.next; it != &m->rooms; it = it->next) {
        const struct room *r = list_entry(it, struct room, link);
        if (r->name.n) return book_member(&m->push->app->book, r->name);
    }
    return NULL;
}

static enum user_room user_room_of(const struct patron *m)
{
    return m->room_count > 0 ? ROOM_BARE : m->own_payments ? ROOM_PAYMENTS : ROOM_PERSONAL;
}

/* The user's own events, in the form that fits what else he hears. */
static void place_user(struct patron *m)
{
    unsigned mask = TOPIC_POINTS | TOPIC_ACCOUNTS | (m->own_payments ? TOPIC_PAYMENTS : 0);
    if (!m->who.user || m->arrival) return;
    unsubscribe(m, &m->own);
    subscribe(m, &m->own, room_user_key(m->who.user, user_room_of(m)), mask);
}

static void listen_to(struct patron *m, struct room *r)
{
    const struct reward_member *missed = socketio_missed_member(m);
    enum member_form form = m->room_count == 1 ? MEMBER_OFFSET : MEMBER_BARE;
    unsubscribe(m, &r->subscription);
    if (missed && str_eq(r->name, member_id(missed))) return; /* not before all that was missed has been told */
    subscribe(m, &r->subscription, topic_member_key(m->push, form, r->name), TOPIC_SHARED);
}

/* All members, or those asked for; a single one in the form that can be resent. */
static void place_rewards(struct patron *m)
{
    unsubscribe(m, &m->own);
    list_each(&m->rooms, it)
    {
        struct room *r = list_entry(it, struct room, link);
        if (r->name.n) listen_to(m, r);
    }
    if (m->room_count == 0 && topic_may_hear_rewards(m->push, &m->who))
        subscribe(m, &m->own, m->push->rewards_keys[MEMBER_BARE], TOPIC_SHARED);
}

void room_enter(struct patron *m)
{
    if (sio_namespace(m->socket) == NSP_ROOT) {
        place_user(m);
        return;
    }
    if (m->who.user) {
        struct room *presence = room_new(m, STR_NONE);
        subscribe(m, &presence->subscription, room_user_key(m->who.user, ROOM_PRESENCE), 0);
    }
    place_rewards(m);
}

void room_restore_member(struct patron *m, const struct reward_member *member)
{
    room_new(m, member_id(member));
}

/* Payments --------------------------------------------------------------------------------------------------------- */

static bool is_own(const struct patron *m, struct str username)
{
    return m->who.person && str_eq_nocase(username, str_from(m->who.person->username));
}

static struct str lower(struct str name, char out[NAME_MAX_BYTES])
{
    for (size_t i = 0; i < name.n; i++)
        out[i] = (char) (name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    return (struct str){ out, name.n };
}

/* NULL: done. */
static const char *join_payments(struct patron *m, struct str username)
{
    char text[NAME_MAX_BYTES];
    if (!topic_may_hear_payments(m->push, &m->who, username)) return "Unauthorized";
    if (is_own(m, username)) {
        m->own_payments = true;
        return NULL;
    }
    struct str name = lower(username, text);
    if (find(m, name)) return NULL;
    if (m->room_count >= TOPICS_MAX) return "At most 100 subscriptions a connection";
    struct room *r = room_new(m, name);
    subscribe(m, &r->subscription, topic_payments_key(m->push, PAYMENTS_SOCKETIO, name), TOPIC_SHARED);
    return NULL;
}

static void leave_payments(struct patron *m, struct str username)
{
    char text[NAME_MAX_BYTES];
    struct room *r = find(m, lower(username, text));
    if (is_own(m, username)) m->own_payments = false;
    if (r) room_free(m, r);
}

static void take_payments(struct patron *m, const struct sio_event *event, bool joins)
{
    struct str username = argument(event, STR("username"));
    enum user_room room = user_room_of(m);
    bool payments = m->own_payments;
    const char *refusal = NULL;
    if (!username.p) refusal = "Invalid username";
    else if (joins) refusal = join_payments(m, username);
    else leave_payments(m, username);
    if (room != user_room_of(m) || payments != m->own_payments) {
        place_user(m);
        socketio_send_offset(m); /* ahead of the answer: who has this has that */
    }
    ack(m, event, refusal);
}

/* Members ---------------------------------------------------------------------------------------------------------- */

static const char *join_member(struct patron *m, struct str id)
{
    if (!topic_may_hear_rewards(m->push, &m->who)) return "Unauthorized";
    if (find(m, id)) return NULL;
    if (m->room_count >= TOPICS_MAX) return "At most 100 subscriptions a connection";
    room_new(m, id);
    return NULL;
}

static void take_member(struct patron *m, const struct sio_event *event, bool joins)
{
    struct str id = argument(event, STR("userId"));
    int before = m->room_count;
    const char *refusal = NULL;
    if (!id.p) {
        refusal = "Invalid userId";
    } else if (joins) {
        refusal = join_member(m, id);
    } else {
        struct room *r = find(m, id);
        if (r) room_free(m, r);
    }
    if (before != m->room_count) {
        socketio_forget_missed(m);
        place_rewards(m);
        socketio_send_offset(m);
    }
    ack(m, event, refusal);
}

/* ------------------------------------------------------------------------------------------------------------------ */

/* Joining one's own room says what the token has done already; nobody ever joins another's. */
static void take_join(struct patron *m, const struct sio_event *event)
{
    struct str room = argument(event, STR("userId"));
    char id[PID_CHARS];
    if (str_starts(room, STR("user-"))) room = (struct str){ room.p + 5, room.n - 5 };
    bool own = m->who.user && sio_namespace(m->socket) == NSP_ROOT;
    if (own) pid_encode(&m->push->app->pids, PID_USER, m->who.user, id);
    ack(m, event, own && str_eq(room, (struct str){ id, sizeof id }) ? NULL : "Unauthorized");
}

void room_take_event(struct patron *m, const struct sio_event *event)
{
    bool root = sio_namespace(m->socket) == NSP_ROOT;
    if (str_eq(event->name, STR("join"))) take_join(m, event);
    else if (root && str_eq(event->name, STR("subscribe:payment"))) take_payments(m, event, true);
    else if (root && str_eq(event->name, STR("unsubscribe:payment"))) take_payments(m, event, false);
    else if (!root && str_eq(event->name, STR("subscribe"))) take_member(m, event, true);
    else if (!root && str_eq(event->name, STR("unsubscribe"))) take_member(m, event, false);
}
