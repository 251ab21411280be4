/* The endpoint of Engine.IO: requests become eio_request and eio_exchange, upgrades connections of ws/. */
#include "domain/push/socketio_door.h"

#include "core/digest.h"

struct exchange {
    struct eio_exchange base;
    struct http_request *req;
};

static void answer(struct eio_exchange *x, int status, size_t size, void (*fill)(void *arg, char *to), void *arg)
{
    struct http_request *req = ((struct exchange *) x)->req;
    struct str type = status == 200 ? STR("text/plain; charset=utf-8") : STR("application/json; charset=utf-8");
    if (status == 503) reply_header(req, STR("Retry-After"), STR("5"));
    reply_header(req, STR("Cache-Control"), STR("no-store"));
    req->on_gone = NULL;
    reply_filled(req, status, type, size, fill, arg);
}

static void on_gone(struct http_request *req)
{
    struct exchange *x = req->own;
    eio_abandoned(&x->base);
}

static struct exchange *exchange_of(struct http_request *req)
{
    struct exchange *x = req->own;
    if (x) return x;
    x = arena_new(&req->arena, struct exchange);
    x->base.answer = answer;
    x->req = req;
    req->own = x;
    req->on_gone = on_gone;
    return x;
}

static enum eio_method method_of(const struct http_request *req)
{
    return req->method == HTTP_GET ? EIO_GET : req->method == HTTP_POST ? EIO_POST : EIO_OTHER;
}

static struct eio_request request_of(struct http_request *req)
{
    return (struct eio_request){
        .method = method_of(req),
        .version = request_query(req, STR("EIO")),
        .transport = request_query(req, STR("transport")),
        .sid = request_query(req, STR("sid")),
        .is_binary = str_eq_nocase(request_header(req, STR("Content-Type")), STR("application/octet-stream")),
        .body = req->body,
        .opening = request_header(req, STR("Authorization")),
    };
}

static void refuse(struct http_request *req, enum eio_fault fault)
{
    reply_json(req, eio_fault_status(fault), eio_fault_body(fault));
}

static void upgrade(struct http_request *req, struct eio_server *engine)
{
    struct buf head;
    struct str rest;
    struct eio_request r = request_of(req);
    enum eio_fault fault = eio_check_upgrade(engine, &r);
    buf_init(&head, 1024);
    if (fault == EIO_FAULT_NONE && !str_eq(request_header(req, STR("Sec-WebSocket-Version")), STR("13")))
        fault = EIO_BAD_REQUEST;
    if (fault == EIO_FAULT_NONE &&
        ws_accept_head(request_header(req, STR("Sec-WebSocket-Key")), STR_NONE, STR_NONE, &head) != OK)
        fault = EIO_BAD_REQUEST;
    if (fault == EIO_FAULT_NONE) {
        struct net_conn *conn = request_upgrade(req, &rest);
        if (conn) eio_upgrade(engine, &r, conn, buf_view(&head), rest);
    } else {
        refuse(req, fault);
    }
    buf_fini(&head);
}

void socketio_door_begin(struct http_request *req, struct eio_server *engine)
{
    struct eio_request r = request_of(req);
    eio_announce(engine, &r, &exchange_of(req)->base);
}

static void refuse_unknown(struct http_request *req)
{
    refuse(req, EIO_UNKNOWN_SID);
}

/* The session of another process of this host: the request goes there, with its connection. */
static bool goes_elsewhere(struct http_request *req, struct eio_server *engine)
{
    struct str prefix = eio_sid_prefix(engine, request_query(req, STR("sid")));
    uint8_t worker;
    return hex_decode(prefix, &worker, 1) && request_hand_over(req, worker, refuse_unknown) == OK;
}

void socketio_door(struct http_request *req, struct eio_server *engine)
{
    if (goes_elsewhere(req, engine)) return;
    if (req->method == HTTP_GET && str_eq_nocase(request_header(req, STR("Upgrade")), STR("websocket"))) {
        upgrade(req, engine);
        return;
    }
    struct eio_request r = request_of(req);
    eio_serve(engine, &r, &exchange_of(req)->base);
}
