/* One timer serves all deadlines of a connection, because it owes us at most one thing at a time: to
 * read our answers, to go on with its body, to finish its head, to say something at all. While only
 * we owe (an answer), no deadline runs here.
 *
 * A head has its time from its first byte on, however it trickles. Bodies and readers may take as long
 * as they get on: a step of body, or any answer taken, buys the next period. */
#include "http/conn_private.h"

#include <sys/ioctl.h>

#include "core/must.h"

static enum conn_timer awaited(const struct http_conn *conn)
{
    if (net_pending(conn->net) > 0) return TIMER_WRITE;
    if (!http_conn_may_read(conn) && conn->request_count > 0) return TIMER_NONE;
    if (conn->stream.in_body && !conn->last) return TIMER_BODY;
    if (http_stream_has_begun(&conn->stream)) return TIMER_HEAD;
    return conn->request_count > 0 ? TIMER_NONE : TIMER_IDLE;
}

static uint64_t progress_of(const struct http_conn *conn, enum conn_timer mode)
{
    return mode == TIMER_WRITE ? conn->written - net_pending(conn->net) : (uint64_t) conn->stream.body_bytes;
}

static void start_timer(struct http_conn *conn, enum conn_timer mode)
{
    const struct http_options *o = &conn->server->options;
    conn->timer_mode = mode;
    conn->progress = progress_of(conn, mode);
    int after_ms = mode == TIMER_WRITE ? o->write_timeout_ms
                 : mode == TIMER_BODY ? o->body_timeout_ms
                 : mode == TIMER_HEAD ? o->head_timeout_ms
                 : conn->server->draining ? HTTP_DRAIN_GRACE_MS : o->idle_timeout_ms;
    if (mode == TIMER_NONE) wheel_cancel(&conn->timer);
    else wheel_set(conn->server->wheel, &conn->timer, (uint64_t) after_ms);
}

static bool is_faster_than_asked(const struct http_conn *conn)
{
    uint64_t progress = progress_of(conn, conn->timer_mode);
    if (conn->timer_mode == TIMER_WRITE) return progress > conn->progress;
    return conn->timer_mode == TIMER_BODY && progress >= conn->progress + HTTP_BODY_STEP_BYTES;
}

/* While draining: a request may be on its way that the loop has not read yet. */
static bool has_unread_input(const struct http_conn *conn)
{
    int n = 0;
    return ioctl(net_fd(conn->net), FIONREAD, &n) == 0 && n > 0;
}

void http_conn_on_timer(struct wheel_timer *t)
{
    struct http_conn *conn = list_entry(t, struct http_conn, timer);
    must(conn->magic == HTTP_CONN_MAGIC);
    enum conn_timer mode = conn->timer_mode;
    if (is_faster_than_asked(conn) || (mode == TIMER_IDLE && has_unread_input(conn))) {
        start_timer(conn, mode);
    } else if (mode == TIMER_HEAD || (mode == TIMER_BODY && conn->reading)) {
        http_conn_refuse(conn, 408, "Request Timeout");
        http_conn_settle(conn);
    } else {
        net_close(conn->net);
    }
}

void http_conn_rearm(struct http_conn *conn)
{
    enum conn_timer mode = awaited(conn);
    if (mode != conn->timer_mode || (conn->server->draining && mode == TIMER_IDLE)) start_timer(conn, mode);
}
