/* A server that speaks Engine.IO and Socket.IO and nothing else, for the tests of the protocols: no database, short
 * heartbeats, handlers that echo. It stands on what tallyd stands on (http/, ws/, the door between them).
 *
 *     socketio_echo [name=value…]     prints "listening PORT" and serves until SIGTERM, which drains
 *
 * /engine.io  echoes every message.
 * /socket.io  namespaces "/" and "/custom": after connecting comes "auth" with the payload of CONNECT; "message" comes
 *             back as "message-back"; "message-with-ack" is answered with its arguments; "ask" has the server ask
 *             ("question", its arguments) and tell what was answered ("answered"); "leave" disconnects the socket,
 *             "close" the connection; "flood" sends n events of m bytes, "publish" one to all of the namespace;
 *             "who" tells the handshake's Authorization. A token "bad" is refused, "slow" accepted a while later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/digest.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/push/socketio_door.h"
#include "ws/hub.h"
#include "ws/socketio.h"

static struct {
    uv_loop_t loop;
    uv_signal_t sigterm;
    struct turn turn;
    struct wheel *wheel;
    struct metrics metrics;
    struct http_server *http;
    struct eio_server *plain;
    struct sio_server *socketio;
    struct ws_hub hub;
    int draining;
    /* settings */
    int64_t port, ping_interval, ping_timeout, connect_timeout, upgrade_timeout, sessions_max, rate;
} echo = { .ping_interval = 300, .ping_timeout = 200, .connect_timeout = 1000 };

/* --- Engine.IO ---------------------------------------------------------------------------------------------------- */

static void plain_open(struct eio_session *s)
{
    (void) s;
}

static void plain_message(struct eio_session *s, struct str text)
{
    struct buf b;
    buf_init(&b, text.n + 1);
    buf_char(&b, '4');
    buf_str(&b, text);
    struct ws_frame *frame = ws_frame_new(WS_TEXT, buf_view(&b));
    eio_session_send(s, frame);
    ws_frame_unref(frame);
    buf_fini(&b);
}

static void plain_close(struct eio_session *s, enum eio_reason why)
{
    struct str sid = eio_session_sid(s);
    printf("closed %.*s %s\n", STR_FMT(sid), eio_reason_text(why));
    fflush(stdout);
}

static const struct eio_handler plain_handler = { plain_open, plain_message, plain_close, NULL };

/* --- Socket.IO ---------------------------------------------------------------------------------------------------- */

static const char *const namespaces[] = { "/", "/custom", NULL };

struct member {
    struct sio_socket *socket;
    struct ws_subscription subscription;
    struct wheel_timer slow;
    bool asked;
};

static void accept_member(struct member *m, struct str auth)
{
    sio_accept(m->socket, STR("\"pid\":\"p1\""));
    ws_hub_subscribe(&echo.hub, &m->subscription, sio_outlet(m->socket), (uint64_t) sio_namespace(m->socket), 1);
    sio_emit(m->socket, STR("auth"), auth);
}

static void on_slow(struct wheel_timer *t)
{
    accept_member(list_entry(t, struct member, slow), STR("{\"token\":\"slow\"}"));
}

static void on_connect(struct sio_socket *s, const struct json *auth)
{
    struct member *m = sio_extra(s);
    const struct json *token = auth ? json_get(auth, STR("token")) : NULL;
    struct str text = token && token->type == JSON_STRING ? token->text : STR_NONE;
    m->socket = s;
    wheel_timer_init(&m->slow, on_slow);
    if (str_eq(text, STR("bad"))) sio_refuse(s, STR("Unauthorized"), STR("{\"retry\":false}"));
    else if (str_eq(text, STR("slow"))) wheel_set(echo.wheel, &m->slow, 100);
    else accept_member(m, auth ? auth->text : STR("{}"));
}

static void on_answer(void *arg, enum err err, const struct json *args)
{
    struct sio_socket *s = arg;
    if (err == OK) sio_emit(s, STR("answered"), args->text);
    else if (err == ERR_TIMEOUT) sio_emit(s, STR("answered"), STR("\"timeout\""));
    else printf("call closed\n");
    fflush(stdout);
}

static int64_t number(const struct json *j)
{
    int64_t n = 0;
    return j && j->type == JSON_NUMBER && json_i64(j, &n) ? n : 0;
}

static void flood(struct sio_socket *s, int64_t count, int64_t size)
{
    char *text = mem_alloc((size_t) size + 2);
    memset(text, 'x', (size_t) size + 2);
    text[0] = text[size + 1] = '"';
    struct ws_frame *frame =
        sio_event_frame(str_from(namespaces[sio_namespace(s)]), STR("drop"), (struct str){ text, (size_t) size + 2 });
    for (int64_t i = 0; i < count; i++) sio_send(s, frame);
    ws_frame_unref(frame);
    mem_free(text);
}

static void publish(const struct sio_socket *s, struct str raw)
{
    int nsp = sio_namespace(s);
    struct ws_frame *frame = sio_event_frame(str_from(namespaces[nsp]), STR("published"), raw);
    ws_hub_publish(&echo.hub, (uint64_t) nsp, 1, frame);
    ws_frame_unref(frame);
}

static void tell_who(struct sio_socket *s, int64_t ack)
{
    struct buf b;
    buf_init(&b, 1 << 16);
    json_string(&b, sio_opening(s));
    sio_ack(s, ack, buf_view(&b));
    buf_fini(&b);
}

static void on_event(struct sio_socket *s, const struct sio_event *e)
{
    const struct json *first = e->args;
    if (str_eq(e->name, STR("message"))) sio_emit(s, STR("message-back"), e->raw);
    else if (str_eq(e->name, STR("message-with-ack"))) sio_ack(s, e->ack, e->raw);
    else if (str_eq(e->name, STR("ask"))) sio_call(s, STR("question"), e->raw, 300, on_answer, s);
    else if (str_eq(e->name, STR("leave"))) sio_disconnect(s);
    else if (str_eq(e->name, STR("close"))) sio_close(s, EIO_FORCED);
    else if (str_eq(e->name, STR("flood"))) flood(s, number(first), number(first ? first->next : NULL));
    else if (str_eq(e->name, STR("publish"))) publish(s, e->raw);
    else if (str_eq(e->name, STR("who"))) tell_who(s, e->ack);
}

static void on_disconnect(struct sio_socket *s, int why)
{
    struct member *m = sio_extra(s);
    struct str sid = sio_sid(s);
    wheel_cancel(&m->slow);
    ws_hub_unsubscribe(&echo.hub, &m->subscription);
    printf("disconnected %.*s %s\n", STR_FMT(sid), sio_reason_text(why));
    fflush(stdout);
}

static const struct sio_handler handler = { on_connect, on_event, on_disconnect };

/* --- doors -------------------------------------------------------------------------------------------------------- */

static void plain_door(struct http_request *req)
{
    socketio_door(req, echo.plain);
}

static void plain_begin(struct http_request *req)
{
    socketio_door_begin(req, echo.plain);
}

static void door(struct http_request *req)
{
    socketio_door(req, sio_engine(echo.socketio));
}

static void door_begin(struct http_request *req)
{
    socketio_door_begin(req, sio_engine(echo.socketio));
}

static void put_metrics(struct http_request *req)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    metrics_print(&echo.metrics, &b);
    reply_body(req, 200, STR("text/plain"), buf_view(&b));
    buf_fini(&b);
}

enum { GET_FLAGS = ENDPOINT_UPGRADE | ENDPOINT_CHANGES | ENDPOINT_WAITS | ENDPOINT_HIDDEN };

#define DOORS(prefix, place, door, begin_door)                                                   \
    { .id = prefix "-GET", .method = HTTP_GET, .path = place, .run = door, .flags = GET_FLAGS }, \
        { .id = prefix "-POST",                                                                  \
          .method = HTTP_POST,                                                                   \
          .path = place,                                                                         \
          .run = door,                                                                           \
          .begin = begin_door,                                                                   \
          .body_max = SOCKETIO_BODY_MAX,                                                         \
          .flags = ENDPOINT_BODY_IGNORED | ENDPOINT_HIDDEN },                                    \
    {                                                                                            \
        .id = prefix "-PUT", .method = HTTP_PUT, .path = place, .run = door,                     \
        .flags = ENDPOINT_BODY_IGNORED | ENDPOINT_HIDDEN                                         \
    }

static const struct endpoint endpoints[] = {
    DOORS("EIO", "/engine.io", plain_door, plain_begin),
    DOORS("SIO", "/socket.io", door, door_begin),
    { .id = "METRICS", .method = HTTP_GET, .path = "/metrics", .run = put_metrics, .flags = ENDPOINT_HIDDEN },
    { 0 },
};

/* --- life --------------------------------------------------------------------------------------------------------- */

static void read_setting(const char *text)
{
    static const struct {
        const char *name;
        int64_t *at;
    } settings[] = {
        { "port", &echo.port },
        { "pingInterval", &echo.ping_interval },     { "pingTimeout", &echo.ping_timeout },
        { "connectTimeout", &echo.connect_timeout }, { "upgradeTimeout", &echo.upgrade_timeout },
        { "sessionsMax", &echo.sessions_max },       { "messagesPerSecond", &echo.rate },
    };
    struct str value = str_from(text), name = str_cut(&value, '=');
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (str_eq(name, str_from(settings[i].name)) && str_to_i64(value, settings[i].at)) return;
    }
    fprintf(stderr, "no such setting: %s\n", text);
    exit(2);
}

static void on_drained(void *arg)
{
    (void) arg;
    if (--echo.draining > 0) return;
    metrics_fini(&echo.metrics);
    sio_server_free(echo.socketio);
    eio_server_free(echo.plain);
    http_server_free(echo.http);
    uv_close((uv_handle_t *) &echo.sigterm, NULL);
    wheel_close(echo.wheel);
    turn_close(&echo.turn);
}

static void on_sigterm(uv_signal_t *handle, int signum)
{
    (void) handle, (void) signum;
    echo.draining = 3;
    http_server_drain(echo.http, 3000, on_drained, NULL);
    eio_server_drain(echo.plain, 3000, on_drained, NULL);
    sio_server_drain(echo.socketio, 3000, on_drained, NULL);
}

static void make_parts(void)
{
    static const struct endpoint *const tables[] = { endpoints, NULL };
    struct eio_options engine = {
        .loop = &echo.loop,
        .turn = &echo.turn,
        .wheel = echo.wheel,
        .handler = &plain_handler,
        .sid_prefix = "e1",
        .ping_interval_ms = (int) echo.ping_interval,
        .ping_timeout_ms = (int) echo.ping_timeout,
        .upgrade_timeout_ms = (int) echo.upgrade_timeout,
        .sessions_max = (int) echo.sessions_max,
        .messages_per_second = (int) echo.rate,
    };
    echo.plain = eio_server_new(&engine);
    engine.metrics = &echo.metrics;
    struct sio_options options = {
        .engine = engine,
        .namespaces = namespaces,
        .handler = &handler,
        .connect_timeout_ms = (int) echo.connect_timeout,
        .extra_bytes = sizeof(struct member),
    };
    echo.socketio = sio_server_new(&options);
    struct http_options http = { .tables = tables, .title = "echo", .version = "1" };
    echo.http = http_server_new(&echo.loop, &echo.turn, echo.wheel, &echo.metrics, &http);
}

int main(int argc, char **argv)
{
    const char *fault = NULL;
    struct net_listener_options listen = { .host = "127.0.0.1", .backlog = 4096 };
    for (int i = 1; i < argc; i++) read_setting(argv[i]);
    listen.port = (int) echo.port;
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_OFF, LOG_TEXT);
    digest_init();
    must(uv_loop_init(&echo.loop) == 0);
    turn_init(&echo.turn, &echo.loop);
    echo.wheel = wheel_new(&echo.loop);
    metrics_init(&echo.metrics);
    ws_hub_init(&echo.hub);
    make_parts();
    must(http_server_listen(echo.http, &listen, &fault) == OK);
    must(uv_signal_init(&echo.loop, &echo.sigterm) == 0 && uv_signal_start(&echo.sigterm, on_sigterm, SIGTERM) == 0);
    printf("listening %d\n", http_server_port(echo.http));
    fflush(stdout);
    uv_run(&echo.loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&echo.loop) == 0);
    ws_hub_fini(&echo.hub);
    return 0;
}
