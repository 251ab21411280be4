/* What the tests of HTTP connections stand on: a server with a handful of endpoints on one loop, and clients
 * that are plain sockets driven by hand from the same thread. `pump` turns the loop until a condition holds. */
#pragma once

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "http/server_private.h"

#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

enum { LATER_MAX = 256, BIG_BYTES = 4 << 20, WAIT_MS = 3000 };

static uv_loop_t loop;
static struct turn turn;
static struct wheel *wheel;
static struct http_server *server;
static struct http_request *later[LATER_MAX];
static int later_count;
static struct net_conn *upgraded;
static struct buf upgraded_input;
static bool upgraded_closed, drained, settled;
static uv_async_t alive;             /* what a server has anyway: something that keeps the loop going */
static struct str big;

/* --- endpoints -------------------------------------------------------------------------------- */

static inline void reply_text(struct http_request *req, struct str text)
{
    reply_body(req, 200, STR("text/plain"), text);
}

static inline void run_now(struct http_request *req)
{
    reply_text(req, req->query.n ? req->query : STR("now"));
}

static inline void run_echo(struct http_request *req)
{
    reply_text(req, req->body);
}

static inline void run_later(struct http_request *req)
{
    must(later_count < LATER_MAX);
    later[later_count++] = req;
}

static inline void run_big(struct http_request *req)
{
    reply_text(req, big);
}

static inline void run_who(struct http_request *req)
{
    reply_text(req, arena_printf(&req->arena, "%.*s %.*s", STR_FMT(req->remote), STR_FMT(req->id)));
}

static inline void on_upgraded_data(void *owner, const uint8_t *data, size_t n)
{
    (void) owner;
    buf_put(&upgraded_input, data, n);
}

static inline void on_upgraded_eof(void *owner)
{
    (void) owner;
    net_close_after_write(upgraded);
}

static inline void on_upgraded_close(void *owner, enum err why)
{
    (void) owner, (void) why;
    upgraded_closed = true;
}

static const struct net_handler upgraded_handler = { .on_data = on_upgraded_data, .on_eof = on_upgraded_eof,
                                                     .on_close = on_upgraded_close };

static inline void run_upgrade(struct http_request *req)
{
    struct str rest;
    upgraded = request_upgrade(req, &rest);
    if (!upgraded) return;
    net_attach(upgraded, &upgraded_handler, NULL);
    buf_str(&upgraded_input, rest);
    net_write(upgraded, &(struct iovec){ (void *) "101!", 4 }, 1);
}

static const struct endpoint endpoints[] = {
    { .id = "NOW", .method = HTTP_GET, .path = "/now", .run = run_now, .summary = "", .reply = "{}" },
    { .id = "ECHO", .method = HTTP_POST, .path = "/echo", .run = run_echo, .flags = ENDPOINT_BODY_IGNORED,
      .body_max = 100000, .summary = "", .reply = "{}" },
    { .id = "LATER", .method = HTTP_GET, .path = "/later", .run = run_later, .summary = "", .reply = "{}" },
    { .id = "BIG", .method = HTTP_GET, .path = "/big", .run = run_big, .summary = "", .reply = "{}" },
    { .id = "WHO", .method = HTTP_GET, .path = "/who", .run = run_who, .summary = "", .reply = "{}" },
    { .id = "UP", .method = HTTP_GET, .path = "/up", .run = run_upgrade, .flags = ENDPOINT_UPGRADE,
      .summary = "", .reply = "{}" },
    { 0 },
};

/* --- the server ------------------------------------------------------------------------------- */

static inline void start(const char *const *trusted)
{
    static const struct endpoint *const tables[] = { endpoints, NULL };
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_OFF, LOG_TEXT);
    must(uv_loop_init(&loop) == 0);
    must(uv_async_init(&loop, &alive, NULL) == 0);
    turn_init(&turn, &loop);
    wheel = wheel_new(&loop);
    const struct http_options options = {
        .tables = tables, .title = "", .version = "", .trusted_proxies = trusted,
        .head_timeout_ms = 300, .body_timeout_ms = 300, .idle_timeout_ms = 600, .write_timeout_ms = 300,
    };
    server = http_server_new(&loop, &turn, wheel, NULL, &options);
    const char *fault = NULL;
    const struct net_listener_options at = { .host = "127.0.0.1" };
    ck_assert_msg(http_server_listen(server, &at, &fault) == OK, "%s", fault);
    later_count = 0;
    buf_init(&upgraded_input, 1 << 20);
    upgraded = NULL;
    upgraded_closed = drained = settled = false;
    big.n = BIG_BYTES;
    big.p = mem_alloc(BIG_BYTES);
    memset((char *) big.p, 'b', BIG_BYTES);
}

static inline bool never(void)
{
    return false;
}

/* Turns the loop until the condition holds; false after ms. */
static inline bool pump(bool (*holds)(void), int ms)
{
    for (uint64_t end = clock_mono_ms() + (uint64_t) ms; !holds();) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (clock_mono_ms() >= end) return holds();
        usleep(200);
    }
    return true;
}

static inline void on_drained(void *arg)
{
    (void) arg;
    drained = true;
}

static inline bool is_drained(void)
{
    return drained;
}

static inline void on_settled_seen(void *arg)
{
    (void) arg;
    settled = true;
}

static inline bool is_settled(void)
{
    return settled;
}

static inline bool no_conns(void)
{
    return server->conn_count == 0;
}

static inline void stop(void)
{
    if (upgraded && !upgraded_closed) net_close(upgraded);
    http_conn_close_all(server);
    ck_assert(pump(no_conns, WAIT_MS));
    while (later_count > 0) reply_text(later[--later_count], STR("too late"));
    pump(never, 5);
    ck_assert_int_eq(server->requests_under_way, 0);
    http_server_free(server);
    uv_close((uv_handle_t *) &alive, NULL);
    turn_close(&turn);
    wheel_close(wheel);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    buf_fini(&upgraded_input);
    mem_free((char *) big.p);
}

/* --- clients ---------------------------------------------------------------------------------- */

struct client {
    int fd;
    bool eof;
    struct buf in;
};
static struct client a;

static inline void dial(struct client *c)
{
    *c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) http_server_port(server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(connect(c->fd, (struct sockaddr *) &to, sizeof to), 0);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    buf_init(&c->in, 1 << 26);
}

static inline void hang_up(struct client *c)
{
    close(c->fd);
    buf_fini(&c->in);
}

static inline void put(struct client *c, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, 0);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
        if (sent > 0) p += sent, n -= (size_t) sent;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static inline void say(struct client *c, const char *text)
{
    put(c, text, strlen(text));
}

static inline void hear(struct client *c)
{
    static char piece[65536];
    ssize_t n;
    while ((n = recv(c->fd, piece, sizeof piece, 0)) > 0) buf_put(&c->in, piece, (size_t) n);
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) c->eof = true;
}

static inline bool a_is_closed(void)
{
    hear(&a);
    return a.eof;
}

static inline int count(struct client *c, const char *text)
{
    int found = 0;
    struct str s = buf_view(&c->in);
    const char *p;
    while (s.n > 0 && (p = memmem(s.p, s.n, text, strlen(text)))) {
        found++;
        s.n -= (size_t) (p + 1 - s.p);
        s.p = p + 1;
    }
    return found;
}

static const char *awaited;
static int awaited_count;

static inline bool a_has_awaited(void)
{
    hear(&a);
    return count(&a, awaited) >= awaited_count;
}

static inline bool a_hears(const char *text, int times)
{
    awaited = text;
    awaited_count = times;
    return pump(a_has_awaited, WAIT_MS);
}

static int wanted_later;
static inline bool later_has_come(void)
{
    return later_count >= wanted_later;
}

static inline void await_later(int n)
{
    wanted_later = n;
    ck_assert(pump(later_has_come, WAIT_MS));
}

static inline void answer(int i, const char *text)
{
    struct http_request *req = later[i];
    later[i] = later[--later_count];
    reply_text(req, str_from(text));
}

/* The bodies in order must be these words: each stands behind an empty line. */
static inline void assert_order(const char *const *words)
{
    const char *at = a.in.p;
    for (; *words; words++) {
        const char *found = memmem(at, (size_t) (a.in.p + a.in.n - at), *words, strlen(*words));
        ck_assert_msg(found != NULL, "%s is missing or early", *words);
        at = found + strlen(*words);
    }
}
