/* GET /rewards as a plain WebSocket, for those who read "ws://…/rewards" as an address: the events of the namespace
 * of that name, one frame each, {"event":…,"data":…}. Whoever may hear of all members may listen; what he says is
 * not listened to. */
#include "core/clock.h"
#include "domain/push/push_private.h"

static void set_deadline(struct listener *l)
{
    int64_t left = l->who.expires_s - clock_wall_s();
    if (l->who.user) ws_session_deadline(l->session, (uint64_t) (left > 0 ? left : 0) * 1000 + 1);
}

void stream_begin(struct listener *l, const struct caller *who, struct str cursor)
{
    struct push *p = l->push;
    (void) cursor;
    l->who = *who;
    if (!topic_may_hear_rewards(p, who)) {
        bool nobody = !who->user && !who->key;
        ws_session_close(l->session, nobody ? CLOSE_TOKEN : CLOSE_FORBIDDEN,
                         nobody ? STR("Unauthorized") : STR("Forbidden"));
        return;
    }
    set_deadline(l);
    /* Among the user's own, but deaf, so that a revocation finds it. */
    if (who->user) ws_hub_subscribe(&p->app->hub, &l->own, ws_session_outlet(l->session), topic_user_key(who->user), 0);
    topic_listen(l, STR("rewards"), p->rewards_keys[MEMBER_PLAIN]);
}

struct ws_frame *stream_reward(struct push *p, const struct reward_event *r)
{
    char text[EVENT_BYTES_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text }; /* on the stack: it never grows */
    json_open(&b, '{');
    json_key(&b, STR("event"));
    json_string(&b, event_reward_name(r));
    json_key(&b, STR("data"));
    event_put_rewarded(&b, p, r);
    json_close(&b, '}');
    return b.failed ? NULL : ws_frame_new(WS_TEXT, buf_view(&b));
}

static void on_text(struct ws_session *s, struct str text)
{
    (void) s, (void) text;
}

static void on_close(struct ws_session *s, int code)
{
    (void) code;
    topic_leave_all(listener_of(s));
}

static void on_deadline(struct ws_session *s)
{
    struct listener *l = listener_of(s);
    if (l->who.expires_s > clock_wall_s()) set_deadline(l); /* the wall clock was set back */
    else ws_session_close(s, CLOSE_TOKEN, STR("Token expired"));
}

const struct ws_handler stream_handler = { .on_text = on_text, .on_close = on_close, .on_deadline = on_deadline };
