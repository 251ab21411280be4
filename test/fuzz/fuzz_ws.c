/* Whatever bytes a client sends: nothing breaks, and it does not matter how TCP cuts them. The
 * input is fed to two sessions, once whole and once in pieces whose sizes come from its first
 * byte; both must get the same messages, send the same close and end with the same code. net.c is
 * played by the few functions below, so no sockets are involved. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- the connection --------------------------------------------------------------------------- */

struct net_conn {
    const struct net_handler *handler;
    void *owner;
    bool closing;
    struct buf out;
};

void net_attach(struct net_conn *c, const struct net_handler *handler, void *owner)
{
    c->handler = handler;
    c->owner = owner;
}

enum err net_write(struct net_conn *c, const struct iovec *iov, int n)
{
    must(!c->closing && n > 0);
    for (int i = 0; i < n; i++) buf_put(&c->out, iov[i].iov_base, iov[i].iov_len);
    return OK;
}

void net_prefetch(const struct net_conn *c)
{
    (void) c;
}

size_t net_pending(const struct net_conn *c)
{
    (void) c;
    return 0;
}

void net_close(struct net_conn *c)
{
    c->closing = true;
}

void net_close_after_write(struct net_conn *c)
{
    c->closing = true;
}

/* --- the session ------------------------------------------------------------------------------ */

static struct run {
    struct buf texts;
    int code;
    struct net_conn conn;
} runs[2], *now;

static void on_text(struct ws_session *s, struct str text)
{
    must(text.n <= 4096 && str_is_utf8(text));
    buf_str(&now->texts, text);
    buf_char(&now->texts, '\n');
    if (str_eq(text, STR("close"))) ws_session_close(s, 4000, STR("as you wish"));
    if (str_eq(text, STR("echo"))) ws_session_send_text(s, text);
}

static void on_close(struct ws_session *s, int code)
{
    (void) s;
    now->code = code;
}

static const struct ws_handler handler = { on_text, on_close, NULL };

static struct str last_close(const struct buf *out)
{
    size_t at = 0, n = 0;
    struct str close = STR_NONE;
    while (at < out->n) {
        const uint8_t *head = (const uint8_t *) out->p + at;
        must(out->n - at >= 2 && head[1] <= 125);
        n = 2 + head[1];
        must(at + n <= out->n);
        if (head[0] == 0x88) {
            must(close.p == NULL); /* one at most, and nothing behind it */
            close = (struct str){ (const char *) head, n };
            must(at + n == out->n);
        }
        at += n;
    }
    return close;
}

static void feed(uv_loop_t *loop, struct ws_server *server, struct run *run, struct str bytes, size_t piece)
{
    now = run;
    *run = (struct run){ 0 };
    buf_init(&run->texts, 1 << 24);
    buf_init(&run->conn.out, 1 << 24);
    struct ws_session *s = ws_session_open(server, &run->conn, &handler, STR_NONE, STR_NONE);
    (void) s;
    uv_run(loop, UV_RUN_NOWAIT);
    while (bytes.n > 0 && !run->conn.closing) {
        size_t n = piece && piece < bytes.n ? piece : bytes.n;
        uint8_t *copy = mem_alloc(n); /* of its own, so that ASan sees a read beyond it */
        memcpy(copy, bytes.p, n);
        run->conn.handler->on_data(run->conn.owner, copy, n);
        mem_free(copy);
        uv_run(loop, UV_RUN_NOWAIT);
        bytes = (struct str){ bytes.p + n, bytes.n - n };
    }
    if (!run->conn.closing) run->conn.handler->on_eof(run->conn.owner);
    must(run->conn.closing);
    run->conn.handler->on_close(run->conn.owner, OK);
    must(run->code != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uv_loop_t loop;
    static struct turn turn;
    static struct ws_server *server;
    if (!server) {
        must(uv_loop_init(&loop) == 0);
        turn_init(&turn, &loop);
        server = ws_server_new(&(struct ws_options){ .loop = &loop,
                                                     .turn = &turn,
                                                     .wheel = wheel_new(&loop),
                                                     .ping_interval_ms = 25000,
                                                     .pong_timeout_ms = 20000,
                                                     .message_max = 4096,
                                                     .queue_bytes = 65536,
                                                     .slow_code = 4408 });
    }
    if (size < 1) return 0;
    struct str bytes = { (const char *) data + 1, size - 1 };
    feed(&loop, server, &runs[0], bytes, 0);
    feed(&loop, server, &runs[1], bytes, 1 + data[0] % 17);
    must(str_eq(buf_view(&runs[0].texts), buf_view(&runs[1].texts)));
    must(str_eq(last_close(&runs[0].conn.out), last_close(&runs[1].conn.out)));
    must(runs[0].code == runs[1].code);
    must(ws_server_count(server) == 0);
    for (int i = 0; i < 2; i++) {
        buf_fini(&runs[i].texts);
        buf_fini(&runs[i].conn.out);
    }
    return 0;
}
