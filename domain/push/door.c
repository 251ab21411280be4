/* GET /ws and GET /rewards: the upgrade, and who comes with it. A token may come as Authorization header, as cookie
 * (then the page must be ours or allowed by name) or as a WebSocket subprotocol, since browsers cannot set headers;
 * never in the URL, which ends up in logs. */
#include "domain/live/live.h"
#include "domain/push/push_private.h"
#include "domain/push/socketio_door.h"
#include "ws/session.h"

/* What is behind the door. */
struct room_behind {
    const struct ws_handler *handler;
    void (*begin)(struct listener *l, const struct caller *who, struct str cursor);
};

static const struct room_behind own_protocol = { &listener_handler, listener_begin };
static const struct room_behind rewards_stream = { &stream_handler, stream_begin };

/* An upgrade whose token is being checked. */
struct knock {
    struct http_request *req;
    const struct room_behind *behind;
    struct str protocol; /* what we answer: "tally.v1", or none */
};

static bool has_word(struct str list, struct str word)
{
    while (list.p) {
        if (str_eq_nocase(str_trim(str_cut(&list, ',')), word)) return true;
    }
    return false;
}

static void open_session(struct knock *k, const struct caller *who, enum auth_result result)
{
    struct http_request *req = k->req;
    struct app *app = app_of(req);
    struct str rest, cursor = request_query(req, STR("cursor"));
    struct buf head;
    buf_init(&head, 1024);
    if (ws_accept_head(request_header(req, STR("Sec-WebSocket-Key")), k->protocol, STR_NONE, &head) != OK) {
        buf_fini(&head);
        reply_error(req, 400, "Sec-WebSocket-Key is missing or malformed");
        return;
    }
    struct str kept_cursor = cursor.p ? arena_str(&req->arena, cursor) : STR_NONE;
    struct net_conn *conn = request_upgrade(req, &rest);
    if (conn) {
        struct ws_session *s = ws_session_open(app->ws, conn, k->behind->handler, buf_view(&head), rest);
        struct listener *l = listener_of(s);
        l->push = app->push;
        l->session = s;
        list_init(&l->extra);
        if (result == AUTH_YES) k->behind->begin(l, who, kept_cursor);
        else listener_refuse(l, result);
    }
    buf_fini(&head);
}

static void on_checked(void *arg, enum auth_result result, const struct caller *who)
{
    open_session(arg, who, result);
}

static void check_token(struct knock *k, struct str token)
{
    struct caller who;
    enum auth_result result = auth_token(app_of(k->req)->auth, token, &who, on_checked, k);
    if (result != AUTH_WAIT) open_session(k, &who, result);
}

static void check_key(struct knock *k, struct str base64)
{
    struct caller who = { 0 };
    struct str credentials;
    enum auth_result result = AUTH_NO;
    if (base64_decode(&k->req->arena, base64, &credentials))
        result = auth_key(app_of(k->req)->auth, credentials, &who, on_checked, k);
    if (result != AUTH_WAIT) open_session(k, &who, result);
}

/* "tally.v1, bearer.<jwt>": the token, and whether our protocol was offered. */
static struct str protocol_token(struct http_request *req, struct knock *k)
{
    struct str list = request_header(req, STR("Sec-WebSocket-Protocol")), token = STR_NONE;
    while (list.p) {
        struct str word = str_trim(str_cut(&list, ','));
        if (str_eq(word, STR("tally.v1"))) k->protocol = word;
        if (str_starts(word, STR("bearer."))) token = (struct str){ word.p + 7, word.n - 7 };
    }
    return token;
}

static bool upgrade_asked(struct http_request *req)
{
    if (!has_word(request_header(req, STR("Upgrade")), STR("websocket")) ||
        !has_word(request_header(req, STR("Connection")), STR("upgrade"))) {
        reply_header(req, STR("Upgrade"), STR("websocket"));
        reply_error(req, 426, "This address speaks WebSocket");
        return false;
    }
    if (!str_eq(request_header(req, STR("Sec-WebSocket-Version")), STR("13"))) {
        reply_header(req, STR("Sec-WebSocket-Version"), STR("13"));
        reply_error(req, 426, "Sec-WebSocket-Version must be 13");
        return false;
    }
    return true;
}

static void knock(struct http_request *req, const struct room_behind *behind)
{
    struct caller nobody = { 0 };
    struct str header = request_header(req, STR("Authorization")), cookie = request_cookie(req, STR("token"));
    if (!upgrade_asked(req)) return;
    if (app_of(req)->stopping) {
        reply_err(req, ERR_CLOSED);
        return;
    }
    if (!live_was_loaded(app_of(req)->live)) { /* there is no now yet that a cursor could stand for */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    struct knock *k = arena_new(&req->arena, struct knock);
    k->req = req;
    k->behind = behind;
    struct str token = protocol_token(req, k);
    if (str_starts_nocase(header, STR("Bearer "))) {
        check_token(k, str_trim((struct str){ header.p + 7, header.n - 7 }));
    } else if (str_starts_nocase(header, STR("Basic "))) {
        check_key(k, str_trim((struct str){ header.p + 6, header.n - 6 }));
    } else if (token.p) {
        check_token(k, token);
    } else if (header.p) {
        open_session(k, &nobody, AUTH_NO);
    } else if (cookie.p && !auth_origin_good(req)) {
        reply_error(req, 403, "Origin not allowed");
    } else if (cookie.p) {
        check_token(k, cookie);
    } else {
        open_session(k, &nobody, AUTH_YES);
    }
}

static void door(struct http_request *req)
{
    knock(req, &own_protocol);
}

static void rewards_door(struct http_request *req)
{
    knock(req, &rewards_stream);
}

static void socketio(struct http_request *req)
{
    socketio_door(req, sio_engine(app_of(req)->socketio));
}

static void socketio_begin(struct http_request *req)
{
    socketio_door_begin(req, sio_engine(app_of(req)->socketio));
}

/* Of the methods that nobody should use the protocol says so itself. */
#define SOCKETIO_REFUSED(name, verb)                           \
    { .id = name,                                              \
      .method = verb,                                          \
      .path = "/socket.io",                                    \
      .run = socketio,                                         \
      .flags = ENDPOINT_BODY_IGNORED | ENDPOINT_HIDDEN,        \
      .summary = "No method of the protocol's" }

const struct endpoint push_endpoints[] = {
    { .id = "WS",
      .method = HTTP_GET,
      .path = "/ws",
      .run = door,
      .flags = ENDPOINT_UPGRADE | ENDPOINT_HIDDEN,
      .summary = "The server's own WebSocket" },
    { .id = "REWARDS-WS",
      .method = HTTP_GET,
      .path = "/rewards",
      .run = rewards_door,
      .flags = ENDPOINT_UPGRADE | ENDPOINT_HIDDEN,
      .summary = "The events of the rewards namespace as a plain WebSocket" },
    { .id = "SIO",
      .method = HTTP_GET,
      .path = "/socket.io",
      .run = socketio,
      .flags = ENDPOINT_UPGRADE | ENDPOINT_CHANGES | ENDPOINT_WAITS | ENDPOINT_HIDDEN,
      .summary = "Socket.IO: handshake, poll, WebSocket" },
    { .id = "SIO-POST",
      .method = HTTP_POST,
      .path = "/socket.io",
      .run = socketio,
      .begin = socketio_begin,
      .flags = ENDPOINT_BODY_IGNORED | ENDPOINT_HIDDEN,
      .body_max = SOCKETIO_BODY_MAX,
      .summary = "Socket.IO: packets of a client that polls" },
    SOCKETIO_REFUSED("SIO-PUT", HTTP_PUT),
    SOCKETIO_REFUSED("SIO-PATCH", HTTP_PATCH),
    SOCKETIO_REFUSED("SIO-DELETE", HTTP_DELETE),
    { 0 },
};
