/* A request that belongs to another process of this host, and its connection with it.
 *
 *     request_hand_over ──▶ all before it is answered and written ──▶ passed ──taken──▶ the connection has left us
 *                                                                  └──refused──▶ the owner of the endpoint answers here
 *
 * What is passed is the descriptor and all that was read from it: this request's head as it came, its body (a
 * chunked one as one chunk), and what followed. The connection is not read meanwhile, so nothing can fall between.
 * The other process reads the request from its first byte, as if it had accepted the connection, with one
 * difference: this first request is answered there, whatever it says, so no request ever goes round.
 *
 * Over TLS the descriptor is worth nothing without the keys of its session, and those cannot be moved. So a pair of
 * Unix sockets is made, one end is handed over in place of the descriptor (with the client's address), and a relay
 * carries plain bytes between the other end and the client for as long as the connection lives. */
#include <sys/socket.h>
#include <unistd.h>

#include "core/handover.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "core/relay.h"
#include "http/conn_private.h"

struct http_handover {
    struct http_server *server;
    struct handover *handover;
    int index;
    struct list relays;
    struct metric passed, adopted, refused;
};

/* A request on its way; in its own arena. */
struct http_crossing {
    struct http_request *req;
    int to;
    bool started;
    struct net_conn *inner; /* our end of the pair that TLS needs */
    void (*refused)(struct http_request *req);
};

static void on_nobody_closed(void *owner, enum err why)
{
    (void) owner, (void) why;
}

static const struct net_handler nobody = { .on_close = on_nobody_closed };

/* --- taking what others pass ------------------------------------------------------------------------------------- */

static bool may_take(void *arg)
{
    const struct http_server *s = ((struct http_handover *) arg)->server;
    return !s->draining && !s->freeing && s->listener_count > 0 && !net_listener_is_full(s->listeners[0]);
}

static void take(void *arg, int fd, struct str peer, struct str bytes)
{
    struct http_handover *h = arg;
    struct net_conn *net = net_adopt(h->server->listeners[0], fd, peer);
    if (!net) return;
    h->adopted.value++;
    http_conn_adopt(h->server, net, bytes);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

void http_server_join(struct http_server *s, const struct handover_boxes *boxes, int index)
{
    must(!s->handover);
    struct http_handover *h = mem_new(struct http_handover);
    h->server = s;
    h->index = index;
    list_init(&h->relays);
    h->handover = handover_new(&(struct handover_options){ .loop = s->loop,
                                                           .wheel = s->wheel,
                                                           .boxes = boxes,
                                                           .index = index,
                                                           .may_take = may_take,
                                                           .take = take,
                                                           .arg = h });
    s->handover = h;
    h->passed = (struct metric){ .name = "http_handed_over_total", .help = "Connections passed to another process" };
    h->adopted = (struct metric){ .name = "http_adopted_total", .help = "Connections taken from another process" };
    h->refused = (struct metric){ .name = "http_handover_refused_total", .help = "Connections no other process took" };
    if (!s->metrics) return;
    metrics_add(s->metrics, &h->passed);
    metrics_add(s->metrics, &h->adopted);
    metrics_add(s->metrics, &h->refused);
}

void http_handover_drain(struct http_server *s)
{
    if (!s->handover) return;
    list_each(&s->handover->relays, it) relay_end(list_entry(it, struct relay, link));
}

void http_handover_cut(struct http_server *s)
{
    if (!s->handover) return;
    list_each(&s->handover->relays, it) relay_cut(list_entry(it, struct relay, link));
}

void http_handover_close(struct http_server *s)
{
    if (!s->handover) return;
    handover_close(s->handover->handover);
    s->handover->handover = NULL;
    http_handover_cut(s);
}

void http_handover_free(struct http_server *s)
{
    mem_free(s->handover);
}

/* --- passing ----------------------------------------------------------------------------------------------------- */

enum err request_hand_over(struct http_request *req, int worker, void (*refused)(struct http_request *req))
{
    struct http_server *s = req->server;
    must(req->magic == HTTP_REQUEST_MAGIC && req->stage == REQUEST_DISPATCHED);
    if (!s->handover || worker == s->handover->index || req->handed_over || !req->conn || s->draining)
        return ERR_UNAVAILABLE;
    struct http_crossing *x = arena_new(&req->arena, struct http_crossing);
    *x = (struct http_crossing){ .req = req, .to = worker, .refused = refused };
    must(req->conn->requests.prev == &req->link);    /* nothing behind it has been read yet, and nothing will be */
    req->conn->crossing = x;
    turn_defer(s->turn, &req->conn->flush);
    return OK;
}

static void refuse(struct http_crossing *x)
{
    x->req->server->handover->refused.value++;
    if (x->req->conn) x->req->conn->crossing = NULL;
    if (x->inner) net_close(x->inner);
    x->refused(x->req);
}

void http_crossing_lost(struct http_crossing *x)
{
    if (!x->started) refuse(x);
}

static void on_relay_done(void *arg)
{
    http_conn_uncount(arg);
}

/* The client stays with us, the request is served elsewhere. */
static void become_relay(struct http_crossing *x, struct net_conn *client, struct str rest, bool eof)
{
    struct http_server *s = x->req->server;
    struct relay *r = relay_start(client, x->inner, rest, eof || s->draining, on_relay_done, s);
    list_append(&s->handover->relays, &r->link);
}

static void on_passed(void *arg, bool taken)
{
    struct http_crossing *x = arg;
    struct http_request *req = x->req;
    struct http_server *s = req->server;
    if (!taken) {
        refuse(x);
        return;
    }
    s->handover->passed.value++;
    log_debug("http", "handed_over", "req=%.*s worker=%d", STR_FMT(req->id), x->to);
    bool eof = req->conn && req->conn->eof;
    struct buf rest = { 0 };
    if (x->inner) s->conn_count++; /* the relay counts in the connection's place */
    struct net_conn *net = http_conn_leave(req, &rest);
    if (net && x->inner) {
        become_relay(x, net, buf_view(&rest), eof);
    } else {
        if (net) net_attach(net, &nobody, NULL);
        if (net) net_close(net); /* only our copy of it */
        if (x->inner) net_close(x->inner);
        if (x->inner) http_conn_uncount(s);
    }
    buf_fini(&rest);
}

/* The request as it came, or, of a chunked one, as it might have come. */
static void put_request(struct buf *b, const struct http_request *req)
{
    buf_str(b, req->head);
    if (!request_header(req, STR("Transfer-Encoding")).p) {
        buf_str(b, req->body);
        return;
    }
    if (req->body.n) {
        buf_printf(b, "%zx\r\n", req->body.n);
        buf_str(b, req->body);
        buf_cstr(b, "\r\n");
    }
    buf_cstr(b, "0\r\n\r\n");
}

/* The descriptor that goes over; -1 when none can be made. */
static int descriptor_for(struct http_crossing *x, struct net_conn *net)
{
    struct net_listener *l = x->req->server->listeners[0];
    int ends[2];
    if (!net_is_tls(net)) return net_fd(net);
    if (net_listener_is_full(l) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    x->inner = net_adopt(l, ends[0], STR_NONE);
    if (x->inner) {
        net_attach(x->inner, &nobody, NULL);
        return ends[1];
    }
    close(ends[1]);
    return -1;
}

void http_crossing_start(struct http_conn *conn)
{
    struct http_crossing *x = conn->crossing;
    struct http_server *s = conn->server;
    if (x->started || conn->requests.next != &x->req->link || net_pending(conn->net) > 0) return;
    struct str peer = net_is_tls(conn->net) ? http_conn_peer(conn) : STR_NONE;
    struct buf b;
    enum err err = ERR_UNAVAILABLE;
    buf_init(&b, HANDOVER_BYTES_MAX);
    put_request(&b, x->req);
    if (!net_is_tls(conn->net)) buf_str(&b, buf_view(&conn->rest)); /* over TLS the relay brings it */
    net_read_pause(conn->net);
    int fd = s->draining || b.failed ? -1 : descriptor_for(x, conn->net);
    if (fd >= 0) err = handover_pass(s->handover->handover, x->to, fd, peer, buf_view(&b), on_passed, x);
    if (x->inner) close(fd);
    buf_fini(&b);
    x->started = true;
    if (err != OK) refuse(x);
}
