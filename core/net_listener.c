/* A listening socket.
 *
 * The socket is made by hand, because libuv 1.44 cannot set SO_REUSEPORT, and because TCP_NODELAY and
 * TCP_USER_TIMEOUT set here are inherited by every connection, which saves two system calls each.
 * It is also accepted from by hand, under a uv_poll_t: that is what makes running out of descriptors
 * harmless. A connection that cannot be accepted keeps a listening socket readable, so a loop that
 * only gives up spins at full speed. Instead we keep one spare descriptor: at EMFILE it is closed,
 * which makes room to accept the waiting connections and to close them, so that the clients learn
 * it at once; then the spare is opened again. When even that fails (somebody else took the
 * descriptor, or the whole machine has none), we look away for a tenth of a second.
 *
 * A listener that was closed lives on, without its socket, until its last connection is gone,
 * because the connections read into its buffer. */
#include "core/net_private.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"

enum { ACCEPTS_A_TURN = 64, LOOK_AWAY_MS = 100, LOG_EVERY_MS = 10000, BACKLOG = 1024 };

static char fault_text[256];

static int bind_socket(const struct net_listener_options *options, const char **fault);
static int fail(const char *host, int port, const char *what, const char **fault, int fd);
static void on_readable(uv_poll_t *poll, int status, int events);

static int port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof address;
    if (getsockname(fd, (struct sockaddr *) &address, &n) != 0) return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *) &address)->sin6_port
                                               : ((struct sockaddr_in *) &address)->sin_port);
}

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

struct net_listener *net_listen(uv_loop_t *loop, const struct net_listener_options *options,
                                void (*on_conn)(void *arg, struct net_conn *c), void *arg, const char **fault)
{
    int fd = bind_socket(options, fault);
    int backlog = options->backlog > 0 ? options->backlog : BACKLOG;
    if (fd < 0) return NULL;
    if (!options->hold && listen(fd, backlog) != 0) {
        fail(options->host, options->port, "cannot listen", fault, fd);
        return NULL;
    }
    struct net_listener *l = mem_new(struct net_listener);
    l->loop = loop;
    l->fd = fd;
    l->spare_fd = open_spare();
    l->port = port_of(fd);
    l->backlog = backlog;
    l->connections_max = options->connections_max > 0 ? options->connections_max : INT32_MAX;
    l->tls = options->tls;
    l->on_conn = on_conn;
    l->arg = arg;
    l->input = mem_alloc(NET_INPUT_BYTES);
    if (l->tls) l->plain = mem_alloc(NET_PLAIN_BYTES);
    must(uv_timer_init(loop, &l->pause) == 0);
    must(uv_poll_init(loop, &l->poll, fd) == 0);
    l->handles = 2;
    l->pause.data = l->poll.data = l;
    if (!options->hold) must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
    return l;
}

/* Two sockets may be bound to one port as long as neither listens: the second to listen is refused. */
bool net_listener_open(struct net_listener *l, const char **fault)
{
    must(!l->closed && !uv_is_active((uv_handle_t *) &l->poll));
    if (listen(l->fd, l->backlog) != 0) {
        fail(NULL, l->port, "cannot listen", fault, -1);
        return false;
    }
    must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
    return true;
}

int net_listener_port(const struct net_listener *l)
{
    return l->port;
}

int net_listener_count(const struct net_listener *l)
{
    return l->count;
}

bool net_listener_is_full(const struct net_listener *l)
{
    return l->closed || l->count >= l->connections_max;
}

/* --- accepting ------------------------------------------------------------------------------- */

/* At most one line every ten seconds: a flood of connections must not become a flood of lines. */
static bool may_log(uint64_t *last_ms)
{
    uint64_t now = clock_mono_ms();
    if (*last_ms != 0 && now - *last_ms < LOG_EVERY_MS) return false;
    *last_ms = now;
    return true;
}

static void on_pause_over(uv_timer_t *timer)
{
    struct net_listener *l = timer->data;
    if (l->spare_fd < 0) l->spare_fd = open_spare();
    if (!l->closed) must(uv_poll_start(&l->poll, UV_READABLE, on_readable) == 0);
}

static void look_away(struct net_listener *l)
{
    uv_poll_stop(&l->poll);
    must(uv_timer_start(&l->pause, on_pause_over, LOOK_AWAY_MS, 0) == 0);
}

/* Out of descriptors: turns away those who wait. */
static void turn_away(struct net_listener *l, int error)
{
    if (may_log(&l->starved_logged_ms)) {
        log_error("net", "cannot accept", "reason=%s open=%d",
                  error == EMFILE ? "descriptors-of-process" : error == ENFILE ? "descriptors-of-machine"
                                                                               : "memory", l->count);
    }
    int turned_away = 0;
    if (l->spare_fd >= 0 && (error == EMFILE || error == ENFILE)) {
        close(l->spare_fd);
        for (; turned_away < ACCEPTS_A_TURN; turned_away++) {
            int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
            if (fd < 0) break;
            close(fd);
        }
        l->spare_fd = open_spare();
    }
    if (turned_away == 0 || l->spare_fd < 0) look_away(l);
}

static void shed(struct net_listener *l, int fd)
{
    close(fd);
    if (may_log(&l->shed_logged_ms)) log_warn("net", "too many connections", "max=%d", l->connections_max);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void) events;
    struct net_listener *l = poll->data;
    if (status != 0) {
        look_away(l);
        return;
    }
    for (int i = 0; i < ACCEPTS_A_TURN && !l->closed; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (l->count >= l->connections_max) shed(l, fd);
            else net_conn_open(l, fd);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            turn_away(l, errno);
            return;
        }
        /* Any other error is that one connection's, gone before we took it. */
    }
}

/* --- closing --------------------------------------------------------------------------------- */

static void free_if_last(struct net_listener *l)
{
    if (!l->closed || l->handles > 0 || l->count > 0) return;
    mem_free(l->input);
    mem_free(l->plain);
    mem_free(l);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct net_listener *l = handle->data;
    close(l->fd);
    if (l->spare_fd >= 0) close(l->spare_fd);
    l->handles--;
    free_if_last(l);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct net_listener *l = handle->data;
    l->handles--;
    free_if_last(l);
}

void net_listener_close(struct net_listener *l)
{
    if (l->closed) return;
    l->closed = true;
    uv_close((uv_handle_t *) &l->poll, on_poll_closed);
    uv_close((uv_handle_t *) &l->pause, on_timer_closed);
}

void net_listener_conn_gone(struct net_listener *l)
{
    must(l->count > 0);
    l->count--;
    free_if_last(l);
}

/* --- the socket ------------------------------------------------------------------------------ */

static int fail(const char *host, int port, const char *what, const char **fault, int fd)
{
    int error = errno;
    if (!host) host = "any address";
    if (error == EADDRINUSE) {
        snprintf(fault_text, sizeof fault_text, "port %d on %s is in use", port, host);
    } else {
        snprintf(fault_text, sizeof fault_text, "%s for port %d on %s: %s", what, port, host, strerror(error));
    }
    if (fault) *fault = fault_text;
    if (fd >= 0) close(fd);
    return -1;
}

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

static bool set_all(int fd, int family, bool reuse_port)
{
    return set(fd, SOL_SOCKET, SO_REUSEADDR, 1)
        && (!reuse_port || set(fd, SOL_SOCKET, SO_REUSEPORT, 1))
        && (family != AF_INET6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0))
        && set(fd, IPPROTO_TCP, TCP_NODELAY, 1)
        && set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, NET_USER_TIMEOUT_MS);
}

/* Names are looked up blocking: listeners open before the loop runs. */
static bool find_address(const struct net_listener_options *o, struct sockaddr_storage *out, socklen_t *n,
                         const char **fault)
{
    char port[8];
    snprintf(port, sizeof port, "%d", o->port);
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    hints.ai_family = o->host ? AF_UNSPEC : AF_INET6;
    struct addrinfo *found = NULL;
    int error = getaddrinfo(o->host, port, &hints, &found);
    if (error != 0 || !found) {
        snprintf(fault_text, sizeof fault_text, "%s is not an address: %s", o->host ? o->host : "::",
                 gai_strerror(error));
        if (fault) *fault = fault_text;
        return false;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *n = found->ai_addrlen;
    freeaddrinfo(found);
    return true;
}

static int bind_socket(const struct net_listener_options *o, const char **fault)
{
    struct sockaddr_storage address = { 0 };
    socklen_t n = 0;
    if (!find_address(o, &address, &n, fault)) return -1;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT && !o->host) {      /* a machine without IPv6 */
        struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons((uint16_t) o->port) };
        memcpy(&address, &any, sizeof any);
        n = sizeof any;
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    }
    if (fd < 0) return fail(o->host, o->port, "no socket", fault, -1);
    if (!set_all(fd, address.ss_family, o->reuse_port)) return fail(o->host, o->port, "socket options", fault, fd);
    if (bind(fd, (struct sockaddr *) &address, n) != 0) return fail(o->host, o->port, "cannot bind", fault, fd);
    return fd;
}
