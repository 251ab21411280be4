/* What the tests of connections stand on: a loop, a listener on a free port that keeps or echoes what it hears,
 * and clients that are plain sockets. `pump` turns the loop until a condition holds. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/must.h"
#include "core/net.h"

enum { WAIT_MS = 5000, BULK_BYTES = 8 << 20, PEERS_MAX = 64 };

static uv_loop_t loop;
static struct net_listener *listener;
static struct net_conn *conns[PEERS_MAX];
static int opened, closed, eofs, drains;
static enum err closed_why;
static struct buf heard;
static bool echo;

static inline void on_data(void *owner, const uint8_t *data, size_t n)
{
    struct net_conn *c = *(struct net_conn **) owner;
    if (echo) net_write(c, &(struct iovec){ (void *) data, n }, 1);
    else buf_put(&heard, data, n);
}

static inline void on_eof(void *owner)
{
    eofs++;
    if (echo) net_close_after_write(*(struct net_conn **) owner);
}

static inline void on_drain(void *owner)
{
    (void) owner;
    drains++;
}

static inline void on_close(void *owner, enum err why)
{
    *(struct net_conn **) owner = NULL;
    closed++;
    closed_why = why;
}

static const struct net_handler handler = { on_data, on_eof, on_drain, on_close };

static inline void on_conn(void *arg, struct net_conn *c)
{
    (void) arg;
    must(opened < PEERS_MAX);
    conns[opened] = c;
    net_attach(c, &handler, &conns[opened++]);
}

static inline void start(struct net_tls *tls, int connections_max, const char *host)
{
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_OFF, LOG_TEXT);
    must(uv_loop_init(&loop) == 0);
    const char *fault = NULL;
    const struct net_listener_options at = { .host = host, .tls = tls, .connections_max = connections_max };
    listener = net_listen(&loop, &at, on_conn, NULL, &fault);
    ck_assert_msg(listener != NULL, "%s", fault);
    buf_init(&heard, 1 << 26);
}

static inline bool pump(bool (*holds)(void), int ms)
{
    for (uint64_t end = clock_mono_ms() + (uint64_t) ms; !holds();) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (clock_mono_ms() >= end) return holds();
        usleep(100);
    }
    return true;
}

static inline bool never(void)
{
    return false;
}

static int wanted;

static inline bool are_open(void)
{
    return opened >= wanted;
}

static inline bool are_closed(void)
{
    return closed >= wanted;
}

static inline bool await(bool (*holds)(void), int n)
{
    wanted = n;
    return pump(holds, WAIT_MS);
}

static inline void stop(void)
{
    for (int i = 0; i < opened; i++) {
        if (conns[i]) net_close(conns[i]);
    }
    net_listener_close(listener);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(closed, opened);                /* each on_close exactly once */
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    buf_fini(&heard);
}

static inline int socket_new(void)
{
    return socket(AF_INET, SOCK_STREAM, 0);
}

static inline void dial(int fd)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) net_listener_port(listener)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(connect(fd, (struct sockaddr *) &to, sizeof to), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
}

static inline int dialled(void)
{
    int fd = socket_new();
    dial(fd);
    return fd;
}

static inline uint8_t *bulk_new(void)
{
    uint8_t *p = malloc(BULK_BYTES);
    for (size_t i = 0; i < BULK_BYTES; i++) p[i] = (uint8_t) (i * 31 + i / 257);
    return p;
}
