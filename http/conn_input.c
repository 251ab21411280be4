/* From bytes to dispatched requests.
 *
 * The stream says what it found; here it becomes a request, is routed, gets its body and is
 * dispatched. Handlers may answer at once: answers only gather (conn.c sends them at the end of the
 * turn), so nothing here is ever called back from below. Only an upgrade takes the connection
 * away in the middle; conn->net is NULL then, and everything stops.
 *
 * What stops the reading (http_conn_may_read): too many requests under way, a reader who does not
 * read his answers, a request that may become an upgrade, the last request of a connection. */
#include "http/conn_private.h"

#include "core/mem.h"
#include "core/must.h"
#include "http/upload.h"

static bool may_upgrade(const struct http_request *req)
{
    return req->endpoint && (req->endpoint->flags & ENDPOINT_UPGRADE);
}

/* A long poll that waits for news here: reading goes on, so that its client's end is noticed. */
static bool is_waiting(const struct http_conn *conn, const struct http_request *req)
{
    return http_request_waits(req) && req->on_gone && !conn->crossing;
}

bool http_conn_may_read(const struct http_conn *conn)
{
    if (!conn->net || conn->last || conn->held || conn->crossing) return false;
    if (conn->reading) return !conn->reading->upload || upload_may_read(conn->reading->upload);
    if (conn->request_count >= HTTP_PIPELINE_MAX) return false;
    if (conn->unsent + net_pending(conn->net) > HTTP_PENDING_MAX) return false;
    const struct list *newest = conn->requests.prev;
    if (newest == &conn->requests) return true;
    const struct http_request *req = list_entry(newest, struct http_request, link);
    return req->stage == REQUEST_ANSWERED || !may_upgrade(req) || is_waiting(conn, req);
}

static struct http_request *add_request(struct http_conn *conn)
{
    struct http_request *req = http_request_new(conn->server, conn);
    list_append(&conn->requests, &req->link);
    conn->request_count++;
    return req;
}

/* Answers what is no proper request, in its turn, and reads no further. */
void http_conn_refuse(struct http_conn *conn, int status, const char *why)
{
    struct http_request *req = conn->reading;
    conn->reading = NULL;
    conn->want_continue = false;
    conn->last = true;
    if (!req && conn->stream.in_body) return;         /* a body read for nothing: it was answered before */
    if (req && req->upload) {                         /* what it has begun must come to an end first */
        upload_fail(req->upload, status, status == 413 ? "File too large" : why);
        return;
    }
    if (!req) {
        req = add_request(conn);
        http_arrival_blank(req, http_conn_peer(conn));
    }
    req->keep_alive = false;
    reply_error(req, status, why);
}

static void dispatch(struct http_conn *conn, struct http_request *req)
{
    req->stage = REQUEST_DISPATCHED;
    if (!http_request_waits(req)) conn->server->requests_under_way++;
    http_dispatch(req);
}

static void to_upload(void *arg, const uint8_t *data, size_t n)
{
    upload_body(arg, data, n);
}

/* The gates come before the body: it is not read before they let it in, nor if they do not. */
static void take_upload(struct http_conn *conn, struct http_request *req)
{
    upload_begin(req, conn->want_continue);
    conn->want_continue = false;
    conn->stream.sink = to_upload;
    conn->stream.sink_arg = req->upload;
    dispatch(conn, req);
}

static void take_head(struct http_conn *conn)
{
    const struct gate *g = &conn->stream.gate;
    struct http_request *req = add_request(conn);
    http_arrival_take(req, g, conn->stream.at, http_conn_peer(conn));
    req->handed_over = conn->adopted;
    conn->adopted = false;
    conn->timer_mode = TIMER_NONE;                    /* this head was in time; the next has its own */
    int64_t length = g->chunked ? -1 : g->content_length > 0 ? g->content_length : 0;
    int64_t body_max = 0;
    /* A refusal before the body was read ends the connection when the body is too long to be skipped, or when
     * the client waits for our word before it sends it and may or may not do so after a refusal. */
    bool keep_alive = req->keep_alive;
    if (length < 0 || length > HTTP_DISCARD_BYTES_MAX || (length > 0 && g->expect_continue)) req->keep_alive = false;
    if (http_route(req, length, &body_max) != 0) {
        must(req->stage == REQUEST_ANSWERED);
        conn->last = !req->keep_alive;
        http_stream_body(&conn->stream, HTTP_DISCARD_BYTES_MAX, true);
        return;
    }
    req->keep_alive = keep_alive;
    if (req->endpoint && req->endpoint->begin && req->method != HTTP_OPTIONS) req->endpoint->begin(req);
    http_stream_body(&conn->stream, body_max, false);
    conn->reading = req;
    conn->want_continue = g->expect_continue && !g->http10 && length != 0 && conn->in == conn->in_end;
    if (req->endpoint && req->endpoint->upload && length != 0) take_upload(conn, req);
}

static void take_body(struct http_conn *conn, struct http_request *req)
{
    struct http_stream *s = &conn->stream;
    if (s->body.n > 0) {
        req->body = buf_view(&s->body);
        arena_defer(&req->arena, mem_free, s->body.p);
        s->body = (struct buf){ 0 };
    } else if (s->whole.n > 0) {
        req->body = arena_str(&req->arena, s->whole);
    }
}

static void take_request(struct http_conn *conn)
{
    struct http_request *req = conn->reading;
    if (req && !req->upload) take_body(conn, req);
    conn->reading = NULL;
    conn->want_continue = false;
    http_stream_next(&conn->stream);
    if (conn->server->draining) conn->last = true;
    if (!req) return;                                 /* refused at its head, and skipped now */
    if (!req->keep_alive) conn->last = true;
    if (req->upload) {
        upload_end(req->upload);
        return;
    }
    if (may_upgrade(req) && conn->requests.next != &req->link) conn->held = req;
    else dispatch(conn, req);
}

void http_conn_release_held(struct http_conn *conn)
{
    struct http_request *req = conn->held;
    if (!req || conn->requests.next != &req->link) return;
    conn->held = NULL;
    dispatch(conn, req);
}

void http_conn_input(struct http_conn *conn)
{
    while (http_conn_may_read(conn)) {
        switch (http_stream_feed(&conn->stream, &conn->in, conn->in_end)) {
        case HTTP_STREAM_MORE:
            return;
        case HTTP_STREAM_HEAD:
            take_head(conn);
            break;
        case HTTP_STREAM_REQUEST:
            take_request(conn);
            break;
        case HTTP_STREAM_REFUSED:
            http_conn_refuse(conn, conn->stream.status, conn->stream.why);
            return;
        }
    }
}
