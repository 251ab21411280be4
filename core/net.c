/* Connections.
 *
 * A connection is OPEN, then perhaps LINGERING (net_close_after_write: what is pending leaves, then
 * the FIN, and what still arrives is read for nothing, because closing a socket with unread bytes
 * sends a reset that may destroy our answer on its way), then CLOSING (uv_close was called), then
 * gone. Only OPEN connections call on_data, on_eof and on_drain.
 *
 *     OPEN ──net_close, error──────────────────────────▶ CLOSING ──▶ on_close, freed
 *       └──net_close_after_write──▶ LINGERING ──EOF, deadline, error──▶ ┘
 *
 * Everything that fails ends in net_abort, which is asynchronous like net_close, so that no call
 * into this file ever calls its caller back. Input goes to the listener's one buffer: libuv asks
 * for it, fills it and hands it over in one go, so no two connections use it at once. */
#include "core/net_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/list.h"
#include "core/mem.h"
#include "core/must.h"

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);
static void on_closed(uv_handle_t *handle);
static void linger_if_sent(struct net_conn *c);

static void check(const struct net_conn *c)
{
    must(c->magic == NET_MAGIC);
}

/* NULL, and the descriptor closed, when libuv does not want it. */
static struct net_conn *conn_new(struct net_listener *l, int fd)
{
    struct net_conn *c = mem_new(struct net_conn);
    must(uv_tcp_init(l->loop, &c->tcp) == 0);
    c->magic = NET_MAGIC;
    c->fd = fd;
    c->listener = l;
    l->count++;
    if (uv_tcp_open(&c->tcp, fd) == 0) return c;
    close(fd);
    c->state = NET_CLOSING;
    uv_close((uv_handle_t *) &c->tcp, on_closed);
    return NULL;
}

bool net_conn_open(struct net_listener *l, int fd)
{
    struct net_conn *c = conn_new(l, fd);
    if (!c) return false;
    if (l->tls) {
        c->tls = net_tls_conn_new(l->tls, c);
        net_deadline_start(c, NET_HANDSHAKE_MS);
    }
    l->on_conn(l->arg, c);
    must(c->handler);
    if (c->state == NET_OPEN && !c->paused
        && uv_read_start((uv_stream_t *) &c->tcp, on_alloc, on_read) != 0) net_abort(c);
    return true;
}

struct net_conn *net_adopt(struct net_listener *l, int fd, struct str peer)
{
    must(!l->closed);
    struct net_conn *c = conn_new(l, fd);
    if (!c) return NULL;
    c->paused = true;
    if (peer.n) {
        must(peer.n < NET_ADDRESS_BYTES);
        c->peer = mem_alloc(peer.n + 1);
        memcpy(c->peer, peer.p, peer.n);
    }
    return c;
}

void net_attach(struct net_conn *c, const struct net_handler *handler, void *owner)
{
    check(c);
    must(handler && handler->on_close);
    c->handler = handler;
    c->owner = owner;
}

void *net_owner(const struct net_conn *c)
{
    check(c);
    return c->owner;
}

/* --- reading --------------------------------------------------------------------------------- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void) suggested;
    struct net_conn *c = (struct net_conn *) handle;
    *buf = uv_buf_init((char *) c->listener->input, NET_INPUT_BYTES);
}

/* A lingering peer may finish what it is sending, but not for ever. */
static void discard(struct net_conn *c, size_t n)
{
    c->deadline->discarded += n;
    if (c->deadline->discarded > NET_LINGER_BYTES_MAX) net_close(c);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct net_conn *c = (struct net_conn *) stream;
    check(c);
    if (c->state == NET_CLOSING || n == 0) return;
    if (n > 0) {
        if (c->state == NET_LINGERING) discard(c, (size_t) n);
        else if (c->tls) net_tls_input(c, (const uint8_t *) buf->base, (size_t) n);
        else net_deliver(c, (const uint8_t *) buf->base, (size_t) n);
        return;
    }
    uv_read_stop(stream);
    if (n != UV_EOF) {
        net_abort(c);
        return;
    }
    if (c->tls && !net_tls_is_ready(c->tls)) net_abort(c);
    else if (c->state == NET_OPEN) net_deliver_eof(c);
    else {
        c->eof = true;
        linger_if_sent(c);
    }
}

void net_deliver(struct net_conn *c, const uint8_t *data, size_t n)
{
    if (c->state == NET_OPEN && c->handler->on_data) c->handler->on_data(c->owner, data, n);
}

void net_deliver_eof(struct net_conn *c)
{
    if (c->eof) return;
    c->eof = true;
    if (c->state == NET_OPEN && c->handler->on_eof) c->handler->on_eof(c->owner);
}

void net_read_pause(struct net_conn *c)
{
    check(c);
    if (c->state != NET_OPEN || c->paused) return;
    c->paused = true;
    uv_read_stop((uv_stream_t *) &c->tcp);
}

void net_read_resume(struct net_conn *c)
{
    check(c);
    if (c->state != NET_OPEN || !c->paused) return;
    c->paused = false;
    if (!c->eof && uv_read_start((uv_stream_t *) &c->tcp, on_alloc, on_read) != 0) net_abort(c);
}

/* --- writing --------------------------------------------------------------------------------- */

static void on_written(uv_write_t *write, int status);

static bool send_waiting(struct net_conn *c)
{
    uv_buf_t rest = uv_buf_init(c->out->sending.p, (unsigned) c->out->sending.n);
    return uv_write(&c->out->write, (uv_stream_t *) &c->tcp, &rest, 1, on_written) == 0;
}

/* Copies what the kernel did not take: the parts behind the first `skip` bytes. */
static void put_rest(struct buf *b, const struct iovec *iov, int n, size_t skip)
{
    for (int i = 0; i < n; i++) {
        size_t gone = skip < iov[i].iov_len ? skip : iov[i].iov_len;
        skip -= gone;
        if (gone < iov[i].iov_len) {
            buf_put(b, (const char *) iov[i].iov_base + gone, iov[i].iov_len - gone);
        }
    }
}

/* What the kernel takes at once; -1 with errno. By send and sendmsg: write and writev, which uv_try_write uses, lead
 * through the file layer first, which is a tenth of what a small frame costs. */
static ssize_t send_now(const struct net_conn *c, const struct iovec *iov, int n)
{
    struct msghdr all = { .msg_iov = (struct iovec *) (uintptr_t) iov, .msg_iovlen = (size_t) n };
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    ssize_t sent;
    do sent = n == 1 ? send(c->fd, iov->iov_base, iov->iov_len, flags) : sendmsg(c->fd, &all, flags);
    while (sent < 0 && errno == EINTR);
    return sent;
}

enum err net_send_raw(struct net_conn *c, const struct iovec *iov, int n)
{
    if (c->state == NET_CLOSING) return ERR_CLOSED;
    if (c->out) {
        put_rest(&c->out->waiting, iov, n, 0);
        if (!c->out->waiting.failed) return OK;
        net_abort(c);
        return ERR_CLOSED;
    }
    size_t total = 0;
    for (int i = 0; i < n; i++) total += iov[i].iov_len;
    if (total == 0) return OK;
    ssize_t sent = send_now(c, iov, n);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) sent = 0;
    if (sent >= 0 && (size_t) sent == total) return OK;
    if (sent >= 0) {
        c->out = mem_new(struct net_out);
        buf_init(&c->out->sending, NET_PENDING_MAX);
        buf_init(&c->out->waiting, NET_PENDING_MAX);
        put_rest(&c->out->sending, iov, n, (size_t) sent);
        if (!c->out->sending.failed && send_waiting(c)) return OK;
    }
    net_abort(c);
    return ERR_CLOSED;
}

static void out_free(struct net_conn *c)
{
    if (!c->out) return;
    buf_fini(&c->out->sending);
    buf_fini(&c->out->waiting);
    mem_free(c->out);
    c->out = NULL;
}

static void on_written(uv_write_t *write, int status)
{
    struct net_conn *c = (struct net_conn *) write->handle;
    check(c);
    if (c->state == NET_CLOSING) return;      /* on_closed frees */
    if (status != 0) {
        net_abort(c);
        return;
    }
    struct net_out *out = c->out;
    if (out->waiting.n > 0) {
        struct buf sent = out->sending;
        out->sending = out->waiting;
        buf_clear(&sent);
        out->waiting = sent;
        if (!send_waiting(c)) net_abort(c);
        return;
    }
    out_free(c);
    if (c->state == NET_LINGERING) linger_if_sent(c);
    else if (c->handler->on_drain) c->handler->on_drain(c->owner);
}

enum err net_write(struct net_conn *c, const struct iovec *iov, int n)
{
    check(c);
    if (c->state != NET_OPEN) return ERR_CLOSED;
    return c->tls ? net_tls_write(c, iov, n) : net_send_raw(c, iov, n);
}

size_t net_pending(const struct net_conn *c)
{
    check(c);
    return c->out ? uv_stream_get_write_queue_size((const uv_stream_t *) &c->tcp) + c->out->waiting.n : 0;
}

/* --- closing --------------------------------------------------------------------------------- */

static void close_with(struct net_conn *c, enum err why)
{
    check(c);
    if (c->state == NET_CLOSING) return;
    c->state = NET_CLOSING;
    c->why = (uint8_t) why;
    net_deadline_end(c);
    uv_close((uv_handle_t *) &c->tcp, on_closed);
}

void net_close(struct net_conn *c)
{
    close_with(c, OK);
}

void net_abort(struct net_conn *c)
{
    close_with(c, ERR_CLOSED);
}

static void on_closed(uv_handle_t *handle)
{
    struct net_conn *c = (struct net_conn *) handle;
    check(c);
    struct net_listener *l = c->listener;
    if (c->handler) c->handler->on_close(c->owner, (enum err) c->why);
    out_free(c);
    if (c->tls) net_tls_conn_free(c->tls);
    mem_free(c->peer);
    c->magic = 0;
    mem_free(c);
    net_listener_conn_gone(l);
}

void net_close_after_write(struct net_conn *c)
{
    check(c);
    if (c->state != NET_OPEN) return;
    if (c->tls && !net_tls_is_ready(c->tls)) {
        net_close(c);
        return;
    }
    if (c->tls) net_tls_end(c);
    if (c->state != NET_OPEN) return;         /* the goodbye could not be written */
    c->state = NET_LINGERING;
    net_deadline_start(c, NET_LINGER_MS);
    if (c->paused && !c->eof
        && uv_read_start((uv_stream_t *) &c->tcp, on_alloc, on_read) != 0) net_abort(c);
    linger_if_sent(c);
}

/* Everything has been handed to the kernel: say so, and go when the peer has said it, too. */
static void linger_if_sent(struct net_conn *c)
{
    if (c->state != NET_LINGERING || c->out) return;
    if (c->eof) net_close(c);                 /* closing sends the FIN as well */
    else if (shutdown(net_fd(c), SHUT_WR) != 0) net_close(c);
}

bool net_is_closing(const struct net_conn *c)
{
    check(c);
    return c->state != NET_OPEN;
}

static void on_deadline(uv_timer_t *timer)
{
    net_close(timer->data);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    mem_free(list_entry(handle, struct net_deadline, timer));
}

void net_deadline_start(struct net_conn *c, int timeout_ms)
{
    if (!c->deadline) {
        c->deadline = mem_new(struct net_deadline);
        must(uv_timer_init(c->tcp.loop, &c->deadline->timer) == 0);
        c->deadline->timer.data = c;
    }
    must(uv_timer_start(&c->deadline->timer, on_deadline, (uint64_t) timeout_ms, 0) == 0);
}

void net_deadline_end(struct net_conn *c)
{
    if (!c->deadline) return;
    uv_close((uv_handle_t *) &c->deadline->timer, on_deadline_closed);
    c->deadline = NULL;
}

/* --- about the connection -------------------------------------------------------------------- */

bool net_is_tls(const struct net_conn *c)
{
    check(c);
    return c->tls != NULL;
}

int net_fd(const struct net_conn *c)
{
    return c->state == NET_CLOSING ? -1 : c->fd;
}

void net_prefetch(const struct net_conn *c)
{
    __builtin_prefetch(&c->handler);
    __builtin_prefetch(&c->state);
}

struct str net_peer(const struct net_conn *c, char out[NET_ADDRESS_BYTES])
{
    check(c);
    struct sockaddr_storage address;
    int n = sizeof address;
    const char *text = NULL;
    if (c->peer) text = memcpy(out, c->peer, strlen(c->peer) + 1);   /* net_adopt has measured it */
    else if (uv_tcp_getpeername(&c->tcp, (struct sockaddr *) &address, &n) == 0) {
        if (address.ss_family == AF_INET) {
            const struct sockaddr_in *v4 = (const struct sockaddr_in *) &address;
            text = inet_ntop(AF_INET, &v4->sin_addr, out, NET_ADDRESS_BYTES);
        } else if (address.ss_family == AF_INET6) {
            const struct in6_addr *v6 = &((const struct sockaddr_in6 *) &address)->sin6_addr;
            text = IN6_IS_ADDR_V4MAPPED(v6)
                       ? inet_ntop(AF_INET, v6->s6_addr + 12, out, NET_ADDRESS_BYTES)
                       : inet_ntop(AF_INET6, v6, out, NET_ADDRESS_BYTES);
        }
    }
    if (!text) memcpy(out, "unknown", sizeof "unknown");
    return str_from(out);
}
