/* What the WebSocket tests stand on: a loop, a listener on a free port whose connections become
 * sessions at once, and clients that are plain sockets. rig_until runs the loop until a condition
 * holds, and fails the test when it does not. */
#pragma once

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/digest.h"
#include "ws/hub.h"
#include "ws/session_private.h"

static struct {
    uv_loop_t loop;
    struct turn turn;
    struct wheel *wheel;
    struct metrics metrics;
    struct net_listener *listener;
    struct ws_server *server;
    struct ws_options options;
    struct ws_handler handler;
    struct str rest;
    struct ws_session *last; /* opened last */
    struct buf texts;        /* what on_text got, each followed by '|' */
    int closed, close_code;  /* how many on_close came, and the last one's code */
} rig;

#define RIG_HEAD "HTTP/1.1 101 Switching Protocols\r\n\r\n"

static inline void rig_text(struct ws_session *s, struct str text)
{
    (void) s;
    buf_str(&rig.texts, text);
    buf_char(&rig.texts, '|');
}

static inline void rig_closed(struct ws_session *s, int code)
{
    if (rig.last == s) rig.last = NULL;
    rig.closed++;
    rig.close_code = code;
}

static inline void rig_conn(void *arg, struct net_conn *c)
{
    (void) arg;
    rig.last = ws_session_open(rig.server, c, &rig.handler, STR(RIG_HEAD), rig.rest);
}

/* Options that are 0 get what a server has by default. */
static inline void rig_start(struct ws_options options)
{
    memset(&rig, 0, sizeof rig);
    digest_init();
    ck_assert_int_eq(uv_loop_init(&rig.loop), 0);
    turn_init(&rig.turn, &rig.loop);
    rig.wheel = wheel_new(&rig.loop);
    metrics_init(&rig.metrics);
    buf_init(&rig.texts, 64 << 20);
    options.loop = &rig.loop;
    options.turn = &rig.turn;
    options.wheel = rig.wheel;
    options.metrics = &rig.metrics;
    if (!options.ping_interval_ms) options.ping_interval_ms = 25000;
    if (!options.pong_timeout_ms) options.pong_timeout_ms = 20000;
    if (!options.message_max) options.message_max = 65536;
    if (!options.queue_bytes) options.queue_bytes = 256 << 10;
    if (!options.slow_code) options.slow_code = 4408;
    rig.handler = (struct ws_handler){ rig_text, rig_closed, NULL };
    rig.server = ws_server_new(&options);
    const char *fault = NULL;
    struct net_listener_options listen = { .host = "127.0.0.1", .backlog = 128, .connections_max = 20000 };
    rig.listener = net_listen(&rig.loop, &listen, rig_conn, NULL, &fault);
    ck_assert_msg(rig.listener != NULL, "%s", fault);
}

static inline void rig_turn(void)
{
    uv_run(&rig.loop, UV_RUN_NOWAIT);
}

enum { RIG_PATIENCE_MS = 20000 };

/* Looks at the condition once a round; it may take something. */
#define rig_until(condition)                                                                \
    do {                                                                                    \
        uint64_t rig_end = clock_mono_ms() + RIG_PATIENCE_MS;                               \
        for (int rig_idle = 0; !(condition); rig_idle++) {                                  \
            rig_turn();                                                                     \
            if (rig_idle > 4) poll(NULL, 0, 1);                                             \
            ck_assert_msg(clock_mono_ms() < rig_end, "waited in vain for: %s", #condition); \
        }                                                                                   \
    } while (0)

static inline void rig_stop(void)
{
    metrics_fini(&rig.metrics);
    if (rig.server) ws_server_free(rig.server);
    net_listener_close(rig.listener);
    wheel_close(rig.wheel);
    turn_close(&rig.turn);
    uint64_t end = clock_mono_ms() + RIG_PATIENCE_MS;
    while (uv_run(&rig.loop, UV_RUN_NOWAIT) != 0 && clock_mono_ms() < end) poll(NULL, 0, 1);
    ck_assert_int_eq(uv_loop_close(&rig.loop), 0);
    buf_fini(&rig.texts);
}

/* --- clients ---------------------------------------------------------------------------------- */

struct peer {
    int fd;
    bool eof;
    struct buf in;
};

/* Connects; small_window makes a client that is soon full. */
static inline struct peer peer_new(bool small_window)
{
    struct peer p = { .fd = socket(AF_INET, SOCK_STREAM, 0) };
    ck_assert_int_ge(p.fd, 0);
    int one = 1, bytes = 4096;
    if (small_window) setsockopt(p.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t) net_listener_port(rig.listener)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(connect(p.fd, (struct sockaddr *) &to, sizeof to), 0);
    fcntl(p.fd, F_SETFL, O_NONBLOCK);
    buf_init(&p.in, 512 << 20);
    return p;
}

static inline void peer_free(struct peer *p)
{
    if (p->fd >= 0) close(p->fd);
    p->fd = -1;
    buf_fini(&p->in);
}

static inline void peer_read(struct peer *p)
{
    char bytes[65536];
    ssize_t n = 0;
    while (!p->eof && (n = read(p->fd, bytes, sizeof bytes)) > 0) buf_put(&p->in, bytes, (size_t) n);
    if (n == 0 || (n < 0 && errno != EAGAIN)) p->eof = true;
}

static inline size_t peer_got(struct peer *p)
{
    peer_read(p);
    return p->in.n;
}

static inline bool peer_eof(struct peer *p)
{
    peer_read(p);
    return p->eof;
}

static inline void peer_send(struct peer *p, struct str bytes)
{
    while (bytes.n > 0) {
        ssize_t n = send(p->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return; /* the server may have had enough */
        if (n > 0) bytes = (struct str){ bytes.p + n, bytes.n - (size_t) n };
        if (bytes.n > 0) rig_turn();
    }
}

/* Connected, with a session, and the head read away. */
static inline struct peer peer_open(bool small_window)
{
    struct ws_session *before = rig.last;
    struct peer p = peer_new(small_window);
    rig_until(rig.last != before);
    rig_until(peer_got(&p) >= sizeof RIG_HEAD - 1);
    buf_consume(&p.in, sizeof RIG_HEAD - 1);
    return p;
}

/* A client's frame: masked. */
static inline void put_frame(struct buf *out, uint8_t first, struct str payload)
{
    static const uint8_t mask[4] = { 0x12, 0x34, 0x56, 0x78 };
    uint8_t head[10] = { first, 0x80 };
    size_t head_n = payload.n < 126 ? 2 : payload.n <= 65535 ? 4 : 10;
    head[1] = (uint8_t) (0x80 | (head_n == 2 ? payload.n : head_n == 4 ? 126 : 127));
    for (size_t i = 2; i < head_n; i++) head[i] = (uint8_t) ((uint64_t) payload.n >> 8 * (head_n - 1 - i));
    buf_put(out, head, head_n);
    buf_put(out, mask, 4);
    for (size_t i = 0; i < payload.n; i++) buf_char(out, (char) ((uint8_t) payload.p[i] ^ mask[i % 4]));
}

static inline void peer_send_frame(struct peer *p, uint8_t first, struct str payload)
{
    struct buf b;
    buf_init(&b, 16 << 20);
    put_frame(&b, first, payload);
    peer_send(p, buf_view(&b));
    buf_fini(&b);
}

/* How many writes of the server have arrived: on the loopback, a write of some bytes is a segment.
 * libuv brings the C library's short tcp_info along, so tcpi_data_segs_in is taken from where the
 * kernel puts it. */
static inline int peer_segments(const struct peer *p)
{
    enum { DATA_SEGS_IN = 38 };
    uint32_t info[64] = { 0 };
    socklen_t n = sizeof info;
    ck_assert_int_eq(getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, info, &n), 0);
    ck_assert_uint_gt(n, DATA_SEGS_IN * sizeof *info);
    return (int) info[DATA_SEGS_IN];
}

/* Takes the next whole frame of the server off what was read; false when there is none yet. */
static inline bool peer_next(struct peer *p, uint8_t *first, struct buf *payload)
{
    peer_read(p);
    const uint8_t *in = (const uint8_t *) p->in.p;
    size_t have = p->in.n, head = 2;
    if (have < 2) return false;
    ck_assert_msg((in[1] & 0x80) == 0, "a server's frame is not masked");
    size_t n = in[1];
    if (n >= 126) head = n == 126 ? 4 : 10;
    if (have < head) return false;
    if (head > 2) n = 0;
    for (size_t i = 2; i < head; i++) n = n << 8 | in[i];
    if (have < head + n) return false;
    *first = in[0];
    buf_clear(payload);
    buf_put(payload, in + head, n);
    buf_consume(&p->in, head + n);
    return true;
}

/* An event as JSON, of about that many bytes; key 0 is not conflated. */
static inline struct ws_frame *event(uint64_t key, int64_t delta, size_t fill)
{
    char *text = malloc(fill + 64);
    int n = snprintf(text, 64, "{\"key\":%d,\"delta\":%d,\"fill\":\"", (int) key, (int) delta);
    memset(text + n, 'x', fill);
    memcpy(text + n + (int) fill, "\"}", 2);
    struct ws_frame *f = ws_frame_new(WS_TEXT, (struct str){ text, (size_t) n + fill + 2 });
    const char *digits = strstr(text, "delta\":") + 7;
    f->key = key;
    f->delta = delta;
    f->delta_at = (uint32_t) (digits - text);
    f->delta_size = (uint32_t) strcspn(digits, ",");
    free(text);
    return f;
}

/* Fills the kernel's buffers until it has refused something. (What waits in the session's own queue may only be
 * gathered for the next write.) */
static inline void stuff(struct ws_session *s)
{
    struct ws_frame *f = event(0, 0, 4000);
    while (s->pending == 0 || ws_session_waiting(s) < 8192) {
        if (ws_session_waiting(s) < 8192) ws_session_send(s, f);
        rig_turn();
    }
    ws_frame_unref(f);
}

#define ck_assert_bytes(got, expected)                                                                             \
    do {                                                                                                           \
        struct str ck_a = (got), ck_b = (expected);                                                                \
        ck_assert_msg(str_eq(ck_a, ck_b), "got %zu bytes \"%.*s\", not %zu bytes \"%.*s\"", ck_a.n, STR_FMT(ck_a), \
                      ck_b.n, STR_FMT(ck_b));                                                                      \
    } while (0)
