/* HTTP connections: their life and their answers, in order. (What comes in: conn_input.c; what is
 * late: conn_deadline.c.)
 *
 * A request stands in its connection's list from its head until its answer is sent; the list's order
 * is the order of the answers. Answers of one turn of the loop leave in one write: being answered
 * only defers the connection's flush to the end of the turn.
 *
 * Who frees a request: flush after sending it; the connection's end when nobody works on it; and when
 * a handler still works for a client that has gone, the request becomes an orphan of the server's
 * and is freed at the end of the turn in which it is answered. In all cases it outlives the call
 * that answered it.
 *
 *     ARRIVING ──dispatch──▶ DISPATCHED ──reply──▶ ANSWERED ──flush──▶ freed
 *                                └──client gone──▶ orphan ──reply──▶ finished ──reap──▶ freed
 */
#include "http/conn_private.h"

#include <sodium/randombytes.h>
#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "http/upload.h"

static void on_data(void *owner, const uint8_t *data, size_t n);
static void on_eof(void *owner);
static void on_drain(void *owner);
static void on_close(void *owner, enum err why);
static void on_flush(struct turn_item *item);
static void on_reap(struct turn_item *item);
static void leave(struct http_conn *conn);

static const struct net_handler handler = { on_data, on_eof, on_drain, on_close };

/* --- the server's part ----------------------------------------------------------------------- */

static int64_t count_conns(void *arg)
{
    return ((const struct http_server *) arg)->conn_count;
}

void http_conn_setup(struct http_server *s)
{
    static const char digits[] = "0123456789abcdef";
    list_init(&s->conns);
    list_init(&s->orphans);
    list_init(&s->finished);
    turn_item_init(&s->reap, on_reap);
    for (int i = 0; i < HTTP_ID_PREFIX_BYTES; i++) s->id_prefix[i] = digits[randombytes_uniform(16)];
    s->requests_total = (struct metric){ .name = "http_requests_total", .help = "Requests answered" };
    s->connections = (struct metric){ .name = "http_connections", .help = "Open HTTP connections",
                                      .type = METRIC_GAUGE, .read = count_conns, .arg = s };
    s->duration = (struct metric){ .name = "http_request_duration_seconds", .type = METRIC_HISTOGRAM,
                                   .help = "From a request's head to its answer" };
    if (!s->metrics) return;
    metrics_add(s->metrics, &s->requests_total);
    metrics_add(s->metrics, &s->connections);
    metrics_add(s->metrics, &s->duration);
}

void http_conn_teardown(struct http_server *s)
{
    must(list_empty(&s->conns) && list_empty(&s->orphans));
    turn_cancel(&s->reap);
    on_reap(&s->reap);
}

static void on_reap(struct turn_item *item)
{
    struct http_server *s = list_entry(item, struct http_server, reap);
    struct list *link;
    while ((link = list_shift(&s->finished))) http_request_free(list_entry(link, struct http_request, link));
}

void http_conn_drain_all(struct http_server *s)
{
    list_each(&s->conns, it) http_conn_settle(list_entry(it, struct http_conn, link));
}

void http_conn_close_all(struct http_server *s)
{
    list_each(&s->conns, it) net_close(list_entry(it, struct http_conn, link)->net);
}

/* --- a connection's life --------------------------------------------------------------------- */

void http_conn_open(void *arg, struct net_conn *net)
{
    struct http_conn *conn = mem_new(struct http_conn);
    conn->magic = HTTP_CONN_MAGIC;
    conn->server = arg;
    conn->net = net;
    list_append(&conn->server->conns, &conn->link);
    conn->server->conn_count++;
    list_init(&conn->requests);
    http_stream_init(&conn->stream);
    buf_init(&conn->rest, HTTP_REST_MAX);
    wheel_timer_init(&conn->timer, http_conn_on_timer);
    turn_item_init(&conn->flush, on_flush);
    conn->peer_n = (uint8_t) net_peer(net, conn->peer).n;
    net_attach(net, &handler, conn);
    http_conn_settle(conn);
}

static struct http_conn *from_owner(void *owner)
{
    struct http_conn *conn = owner;
    must(conn->magic == HTTP_CONN_MAGIC);
    return conn;
}

static void conn_free(struct http_conn *conn)
{
    must(list_empty(&conn->requests) && !conn->net);
    http_stream_fini(&conn->stream);
    buf_fini(&conn->rest);
    conn->magic = 0;
    mem_free(conn);
}

/* The connection is no longer the server's. Its memory follows when our own code has come back. */
static void leave(struct http_conn *conn)
{
    struct http_server *s = conn->server;
    conn->net = NULL;
    wheel_cancel(&conn->timer);
    turn_cancel(&conn->flush);
    list_unlink(&conn->link);
    if (!conn->busy) conn_free(conn);
    http_conn_uncount(s);
}

void http_conn_uncount(struct http_server *s)
{
    if (--s->conn_count == 0 && s->on_last_conn) s->on_last_conn(s);
}

static void on_close(void *owner, enum err why)
{
    (void) why;
    struct http_conn *conn = from_owner(owner);
    struct http_crossing *crossing = conn->crossing;
    struct list *link;
    while ((link = list_shift(&conn->requests))) {
        struct http_request *req = list_entry(link, struct http_request, link);
        req->conn = NULL;
        if (req->stage != REQUEST_DISPATCHED) {
            http_request_free(req);
            continue;
        }
        list_append(&conn->server->orphans, &req->link);
        http_request_gone(req);
        if (req == conn->reading) upload_fail(req->upload, 400, "Incomplete request body");
    }
    if (crossing) http_crossing_lost(crossing);
    leave(conn);
}

/* --- input ----------------------------------------------------------------------------------- */

/* Reads what waits, as far as it may be read now. */
static void read_rest(struct http_conn *conn)
{
    if (conn->rest.n == 0 || !http_conn_may_read(conn)) return;
    conn->in = (const uint8_t *) conn->rest.p;
    conn->in_end = conn->in + conn->rest.n;
    http_conn_input(conn);
    if (conn->net) buf_consume(&conn->rest, conn->rest.n - (size_t) (conn->in_end - conn->in));
    conn->in = conn->in_end = NULL;
}

static void on_data(void *owner, const uint8_t *data, size_t n)
{
    struct http_conn *conn = from_owner(owner);
    if (conn->last) return;        /* nothing more is expected of this peer */
    if (conn->rest.n > 0 || !http_conn_may_read(conn)) {
        buf_put(&conn->rest, data, n);
        if (conn->rest.failed) net_close(conn->net);
        else http_conn_settle(conn);
        return;
    }
    conn->busy = true;
    conn->in = data;
    conn->in_end = data + n;
    http_conn_input(conn);
    if (conn->net && conn->in < conn->in_end && !conn->last) {
        buf_put(&conn->rest, conn->in, (size_t) (conn->in_end - conn->in));
    }
    conn->in = conn->in_end = NULL;
    conn->busy = false;
    http_conn_settle(conn);
}

void http_conn_adopt(struct http_server *s, struct net_conn *net, struct str bytes)
{
    http_conn_open(s, net);
    struct http_conn *conn = net_owner(net);
    conn->adopted = true;
    on_data(conn, (const uint8_t *) bytes.p, bytes.n);
}

static void on_eof(void *owner)
{
    struct http_conn *conn = from_owner(owner);
    conn->eof = true;
    list_each(&conn->requests, it) http_request_gone(list_entry(it, struct http_request, link));
    http_conn_settle(conn);
}

static void on_drain(void *owner)
{
    struct http_conn *conn = from_owner(owner);
    turn_defer(conn->server->turn, &conn->flush);    /* the reading may go on */
}

/* --- answers --------------------------------------------------------------------------------- */

static void account(struct http_request *req)
{
    struct http_server *s = req->server;
    uint64_t duration_us = clock_mono_us() - req->started_us;
    bool waits = http_request_waits(req);
    bool was_last = req->stage == REQUEST_DISPATCHED && !waits && --s->requests_under_way == 0;
    req->stage = REQUEST_ANSWERED;
    if (was_last && s->on_settled) s->on_settled(s);
    s->requests_total.value++;
    if (s->duration.buckets && !waits) metric_observe_us(&s->duration, duration_us);
    enum http_method method = req->is_head ? HTTP_HEAD : req->method;
    log_access(&(struct log_access){
        .request_id = req->id, .path = req->path, .remote = req->remote, .user = req->user,
        .method = method == HTTP_NONE ? STR("-") : str_from(http_method_name(method)),
        .endpoint = req->endpoint ? str_from(req->endpoint->id) : STR_NONE,
        .status = req->status, .duration_us = duration_us, .bytes = req->reply.n,
    });
}

static void finish_orphan(struct http_request *req)
{
    if (list_empty(&req->link)) return;              /* never had a client: its maker frees it */
    list_unlink(&req->link);
    list_append(&req->server->finished, &req->link);
    turn_defer(req->server->turn, &req->server->reap);
}

/* While draining, a connection closes with the answer to the last request that has come: a client hears nothing
 * that follows "close", so an earlier answer must not say it. */
bool http_conn_closes_with(struct http_request *req)
{
    struct http_conn *conn = req->conn;
    if (!req->keep_alive || !req->server->draining) return !req->keep_alive;
    bool more = conn && (req->link.next != &conn->requests ||
                         (!conn->last && (conn->rest.n > 0 || conn->in < conn->in_end)));
    if (more) return false;
    if (conn) conn->last = true;
    req->keep_alive = false;
    return true;
}

/* Answered before its body was read: nobody reads on. */
static void leave_body(struct http_conn *conn)
{
    conn->reading = NULL;
    conn->want_continue = false;
    conn->last = true;
    http_stream_body(&conn->stream, 0, true);
    conn->stream.sink = NULL;
}

void http_conn_answered(struct http_request *req)
{
    must(req->magic == HTTP_REQUEST_MAGIC && req->stage != REQUEST_ANSWERED && req->status != 0);
    http_request_gone(req);                          /* who waits for a body does so in vain */
    account(req);
    if (!req->conn) {
        finish_orphan(req);
        return;
    }
    if (req->conn->reading == req) leave_body(req->conn);
    req->conn->unsent += req->reply.n;
    turn_defer(req->server->turn, &req->conn->flush);
}

/* Sends the answers whose turn it is, all in one write. */
static void send_answers(struct http_conn *conn)
{
    struct iovec iov[HTTP_PIPELINE_MAX];
    int n = 0;
    list_each(&conn->requests, it) {
        struct http_request *req = list_entry(it, struct http_request, link);
        if (req->stage != REQUEST_ANSWERED || n == HTTP_PIPELINE_MAX) break;
        iov[n++] = (struct iovec){ req->reply.p, req->reply.n };
        conn->written += req->reply.n;
        conn->unsent -= req->reply.n;
    }
    if (n == 0) return;
    net_write(conn->net, iov, n);                    /* when it is closing, on_close follows */
    bool keep_alive = true;
    for (int i = 0; i < n; i++) {
        struct http_request *req = list_entry(list_shift(&conn->requests), struct http_request, link);
        keep_alive = req->keep_alive;
        http_request_free(req);
        conn->request_count--;
    }
    if (!keep_alive && list_empty(&conn->requests)) conn->last = true;
    if (conn->timer_mode == TIMER_IDLE) conn->timer_mode = TIMER_NONE;   /* idle from now on */
}

static void send_continue(struct http_conn *conn)
{
    if (!conn->want_continue || conn->requests.next != &conn->reading->link) return;
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    conn->want_continue = false;
    conn->written += sizeof text - 1;
    net_write(conn->net, &(struct iovec){ (void *) text, sizeof text - 1 }, 1);
}

static void on_flush(struct turn_item *item)
{
    struct http_conn *conn = list_entry(item, struct http_conn, flush);
    must(conn->magic == HTTP_CONN_MAGIC);
    if (net_is_closing(conn->net)) return;
    conn->busy = true;
    send_answers(conn);
    http_conn_release_held(conn);
    if (conn->net) read_rest(conn);
    if (conn->net && conn->crossing) http_crossing_start(conn);
    conn->busy = false;
    http_conn_settle(conn);
}

/* --- leaving ------------------------------------------------------------------------------ */

/* Nobody answers it any more; its memory lasts until the end of the turn. */
static void forget(struct http_request *req)
{
    req->conn = NULL;
    list_unlink(&req->link);
    list_append(&req->server->finished, &req->link);
    turn_defer(req->server->turn, &req->server->reap);
}

struct net_conn *request_upgrade(struct http_request *req, struct str *rest)
{
    struct http_conn *conn = req->conn;
    must(req->magic == HTTP_REQUEST_MAGIC && req->stage == REQUEST_DISPATCHED);
    *rest = STR_NONE;
    req->upgraded = true;
    req->status = 101;
    account(req);
    if (!conn || conn->eof || net_is_closing(conn->net)) {
        /* With half a connection there is nothing to push to. The request's end is the connection's. */
        if (conn) net_close(conn->net);
        else finish_orphan(req);
        return NULL;
    }
    must(conn->requests.next == &req->link && conn->requests.prev == &req->link);
    struct net_conn *net = conn->net;
    if (conn->in) *rest = (struct str){ (const char *) conn->in, (size_t) (conn->in_end - conn->in) };
    else *rest = buf_view(&conn->rest);
    if (conn->rest.p) {                              /* the view may point there: it lives as long as the request */
        arena_defer(&req->arena, mem_free, conn->rest.p);
        conn->rest = (struct buf){ 0 };
    }
    forget(req);
    net_read_resume(net);
    leave(conn);
    return net;
}

struct net_conn *http_conn_leave(struct http_request *req, struct buf *rest)
{
    struct http_conn *conn = req->conn;
    must(req->stage == REQUEST_DISPATCHED);
    bool was_last = !http_request_waits(req) && --req->server->requests_under_way == 0;
    if (was_last && req->server->on_settled) req->server->on_settled(req->server);
    req->stage = REQUEST_ANSWERED;
    forget(req);
    if (!conn) return NULL;
    must(list_empty(&conn->requests));
    struct net_conn *net = conn->net;
    *rest = conn->rest;
    conn->rest = (struct buf){ 0 };
    leave(conn);
    return net;
}

/* --- what follows --------------------------------------------------------------------------- */

/* The peer has said all it will: what is incomplete stays so. */
static void end_input(struct http_conn *conn)
{
    conn->last = true;
    struct http_request *req = conn->reading;
    if (!req) return;
    conn->reading = NULL;
    conn->want_continue = false;
    if (req->upload) {
        upload_fail(req->upload, 400, "Incomplete request body");
        return;
    }
    http_request_free(req);
    conn->request_count--;
}

/* After everything that happened to the connection: what follows from the state it is in now. */
void http_conn_settle(struct http_conn *conn)
{
    if (!conn->net) {
        conn_free(conn);
        return;
    }
    if (net_is_closing(conn->net)) return;
    if (conn->want_continue) send_continue(conn);
    if (conn->eof && conn->rest.n == 0 && !conn->last) end_input(conn);
    if (conn->last && conn->request_count == 0 && net_pending(conn->net) == 0) {
        wheel_cancel(&conn->timer);
        net_close_after_write(conn->net);
        return;
    }
    bool may_read = http_conn_may_read(conn);
    if (may_read && conn->rest.n > 0) turn_defer(conn->server->turn, &conn->flush);
    if (may_read || (conn->last && !conn->crossing)) net_read_resume(conn->net);
    else net_read_pause(conn->net);
    http_conn_rearm(conn);
}
