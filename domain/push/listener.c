/* The protocol of /ws (contract/70-events): what a client may send and what it gets back. */
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "domain/push/push_private.h"

/* A token or key of an auth frame that is being checked; outlives its socket when need be. */
struct auth_wait {
    struct listener *listener; /* NULL: the socket has gone */
    struct arena arena;
    struct str cursor;
};

struct listener *listener_of(struct ws_session *s)
{
    return ws_session_extra(s);
}

void listener_refuse(struct listener *l, enum auth_result result)
{
    if (result == AUTH_AWAY) ws_session_close(l->session, CLOSE_TRY_LATER, STR("Try again later"));
    else ws_session_close(l->session, CLOSE_TOKEN, STR("Unauthorized"));
}

void listener_hello(struct listener *l, int64_t resumed)
{
    struct buf b;
    struct cursor now;
    char pid[PID_CHARS];
    buf_init(&b, EVENT_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("type"));
    json_string(&b, STR("hello"));
    json_key(&b, STR("version"));
    json_int(&b, 1);
    json_key(&b, STR("userId"));
    if (l->who.user) pid_encode(&l->push->app->pids, PID_USER, l->who.user, pid);
    json_string(&b, l->who.user ? (struct str){ pid, sizeof pid } : STR_NONE);
    json_key(&b, STR("cursor"));
    if (l->who.person) {
        event_cursor_now(l->who.person, &now);
        buf_char(&b, '"');
        cursor_encode(l->push->cursor_key, l->who.user, &now, &b);
        buf_char(&b, '"');
    } else {
        json_null(&b);
    }
    json_key(&b, STR("resumed"));
    if (resumed >= 0) json_int(&b, resumed);
    else json_null(&b);
    json_close(&b, '}');
    ws_session_send_text(l->session, buf_view(&b));
    buf_fini(&b);
}

/* The socket lives no longer than its token, and says so a minute before. */
static void set_deadline(struct listener *l)
{
    if (!l->who.user) {
        ws_session_deadline(l->session, l->who.key || l->topics ? 0 : ANONYMOUS_MS);
        return;
    }
    int64_t left = l->who.expires_s - clock_wall_s();
    if (left <= EXPIRING_S) l->expiring_told = true; /* too late to say so, or said */
    if (left < 0) left = 0;
    ws_session_deadline(l->session, (uint64_t) (l->expiring_told ? left : left - EXPIRING_S) * 1000 + 1);
}

static void on_deadline(struct ws_session *s)
{
    struct listener *l = listener_of(s);
    if (!l->who.user) {
        ws_session_close(s, CLOSE_TOKEN, STR("Nothing subscribed"));
    } else if (!l->expiring_told) {
        ws_session_send_text(s, STR("{\"type\":\"expiring\",\"in\":60}"));
        l->expiring_told = true;
        set_deadline(l);
    } else if (l->who.expires_s > clock_wall_s()) {
        set_deadline(l); /* the wall clock was set back */
    } else {
        ws_session_close(s, CLOSE_TOKEN, STR("Token expired"));
    }
}

void listener_begin(struct listener *l, const struct caller *who, struct str cursor)
{
    struct push *p = l->push;
    resume_cancel(l);
    if (l->who.user != who->user) topic_leave_all(l);
    if (l->who.user != who->user) l->own_mask = who->user ? TOPIC_OWN : 0;
    l->who = *who;
    l->own.mask = l->own_mask;
    l->expiring_told = false;
    set_deadline(l);
    if (who->user && cursor.p) {
        ws_hub_unsubscribe(&p->app->hub, &l->own);
        resume_start(l, cursor);
        return;
    }
    if (who->user && !l->own.topic)
        ws_hub_subscribe(&p->app->hub, &l->own, ws_session_outlet(l->session), topic_user_key(who->user), l->own_mask);
    listener_hello(l, -1);
}

/* auth frames ---------------------------------------------------------------------------------------- */

static void on_checked(void *arg, enum auth_result result, const struct caller *who)
{
    struct auth_wait *w = arg;
    struct listener *l = w->listener;
    if (l) {
        l->waiting = NULL;
        if (result == AUTH_YES) listener_begin(l, who, w->cursor);
        else listener_refuse(l, result);
    }
    arena_fini(&w->arena);
    mem_free(w);
}

static struct str text_of(const struct json *m, struct str name)
{
    const struct json *value = json_get(m, name);
    return value && value->type == JSON_STRING ? value->text : STR_NONE;
}

static void take_auth(struct listener *l, const struct json *m)
{
    struct str token = text_of(m, STR("token")), key = text_of(m, STR("key")), cursor = text_of(m, STR("cursor"));
    struct caller who;
    if (l->waiting || (!token.p && !key.p)) {
        ws_session_close(l->session, CLOSE_MALFORMED, STR("Malformed auth"));
        return;
    }
    struct auth_wait *w = mem_new(struct auth_wait);
    arena_init(&w->arena);
    w->listener = l;
    if (cursor.p) w->cursor = arena_str(&w->arena, cursor);
    l->waiting = w;
    struct auth *auth = l->push->app->auth;
    enum auth_result result =
        token.p ? auth_token(auth, token, &who, on_checked, w) : auth_key(auth, key, &who, on_checked, w);
    if (result != AUTH_WAIT) on_checked(w, result, &who);
}

/* Messages ------------------------------------------------------------------------------------------- */

static void take_message(struct listener *l, const struct json *m)
{
    struct str type = text_of(m, STR("type"));
    const struct json *topics = json_get(m, STR("topics"));
    bool has_topics = topics && topics->type == JSON_ARRAY && topics->count <= 2 * TOPICS_MAX;
    if (str_eq(type, STR("ping"))) {
        ws_session_send_text(l->session, STR("{\"type\":\"pong\"}"));
    } else if (str_eq(type, STR("auth"))) {
        take_auth(l, m);
    } else if (str_eq(type, STR("subscribe")) && has_topics) {
        topic_subscribe(l, topics);
    } else if (str_eq(type, STR("unsubscribe")) && has_topics) {
        topic_unsubscribe(l, topics);
    } else if (!type.p || str_eq(type, STR("subscribe")) || str_eq(type, STR("unsubscribe"))) {
        ws_session_close(l->session, CLOSE_MALFORMED, STR("Malformed message"));
    } else {
        ws_session_send_text(
            l->session, STR("{\"type\":\"error\",\"code\":\"unknown_type\",\"message\":\"No such message type\"}"));
    }
}

static void on_text(struct ws_session *s, struct str text)
{
    struct arena arena;
    struct json *m;
    const char *why;
    arena_init(&arena);
    if (json_parse(text, &arena, &m, &why) == OK && m->type == JSON_OBJECT) take_message(listener_of(s), m);
    else ws_session_close(s, CLOSE_MALFORMED, STR("Malformed message"));
    arena_fini(&arena);
}

static void on_close(struct ws_session *s, int code)
{
    struct listener *l = listener_of(s);
    resume_cancel(l);
    topic_leave_all(l);
    if (l->waiting) l->waiting->listener = NULL;
    log_debug("ws", "closed", "code=%d user=%lld", code, (long long) l->who.user);
}

const struct ws_handler listener_handler = {
    .on_text = on_text,
    .on_close = on_close,
    .on_deadline = on_deadline,
};
