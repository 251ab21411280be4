/* One WebSocket connection, from the 101 head to the last byte.
 *
 * Out: frames wait in the session's queue. The server's turn item flushes every session that has
 * something at the end of the turn: one write of up to 64 frames, more writes when there are more,
 * and none while bytes of an earlier one are still in net's hands; on_drain goes on then. So what
 * waits is the queue and net's pending bytes, and a frame in the queue has never been touched,
 * which is why the queue may be conflated or dropped at any time.
 *
 * In: receive.c. Whatever arrives proves the peer alive. Silence for ping_interval brings a ping,
 * silence for pong_timeout after it the end.
 *
 * The end: see the states in session_private.h. The handler's on_close comes from net's, which
 * never comes from inside a call, so no callback of anybody's can pull a session away from under a
 * loop that stands on it. */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/session_private.h"

enum { WRITE_BYTES = 64 * 1024, REASON_MAX = WS_CONTROL_MAX - 2 };

static void on_data(void *owner, const uint8_t *data, size_t n);
static void on_eof(void *owner);
static void on_drain(void *owner);
static void on_close(void *owner, enum err why);
static void on_timer(struct wheel_timer *t);

static const struct net_handler net_handler = { on_data, on_eof, on_drain, on_close };

static void check(const struct ws_session *s)
{
    must(s->magic == WS_SESSION_MAGIC);
}

/* --- time ------------------------------------------------------------------------------------- */

/* One timer for the earlier of two times. Moving alive_ms into the future, as all received data
 * does, leaves the timer alone: it fires early once and is set again. */
static void arm(struct ws_session *s, uint64_t now)
{
    uint64_t next = s->alive_ms;
    if (s->deadline_ms && s->deadline_ms < next) next = s->deadline_ms;
    wheel_set(s->server->options.wheel, &s->timer, next > now ? next - now : 0);
}

static void alive(struct ws_session *s)
{
    if (s->state != WS_OPEN) return;
    uint64_t now = clock_mono_ms();
    s->alive_ms = now + (uint64_t) s->server->options.ping_interval_ms;
    if (!s->pong_awaited) return;
    s->pong_awaited = false;
    arm(s, now); /* the next ping may be due before the pong would have been */
}

static void on_silence(struct ws_session *s, uint64_t now)
{
    if (s->state != WS_OPEN || s->pong_awaited) {
        ws_session_end(s);
        return;
    }
    s->ping_due = s->pong_awaited = true;
    s->alive_ms = now + (uint64_t) s->server->options.pong_timeout_ms;
    ws_server_mark(s);
}

static void on_timer(struct wheel_timer *t)
{
    struct ws_session *s = list_entry(t, struct ws_session, timer);
    check(s);
    uint64_t now = clock_mono_ms();
    bool due = s->deadline_ms && s->deadline_ms <= now;
    if (due) s->deadline_ms = 0;
    if (s->alive_ms <= now) on_silence(s, now);
    /* Who trickles bytes keeps memory busy and is never silent; the timer comes by once a ping
     * interval all the same. */
    if (ws_receive_is_overdue(s, now)) ws_session_fail(s, WS_POLICY);
    if (s->state != WS_ENDED) arm(s, now);
    if (due && s->state == WS_OPEN && s->handler->on_deadline) s->handler->on_deadline(s);
}

void ws_session_deadline(struct ws_session *s, uint64_t after_ms)
{
    check(s);
    if (s->state != WS_OPEN) return;
    uint64_t now = clock_mono_ms();
    s->deadline_ms = after_ms ? now + after_ms : 0;
    if (after_ms) arm(s, now);
}

/* --- opening ---------------------------------------------------------------------------------- */

struct ws_session *ws_session_open(struct ws_server *server, struct net_conn *c, const struct ws_handler *handler,
                                   struct str head, struct str rest)
{
    must(handler && handler->on_text && handler->on_close && !server->freed);
    struct ws_session *s = mem_alloc(sizeof *s + (size_t) server->options.extra_bytes);
    s->magic = WS_SESSION_MAGIC;
    s->conn = c;
    s->handler = handler;
    list_init(&s->dirty);
    wheel_timer_init(&s->timer, on_timer);
    ws_server_add(server, s);
    net_attach(c, &net_handler, s);
    if (head.n) {
        ws_queue_push(&s->queue, &server->rings, ws_frame_raw(head));
        s->head_queued = true;
    }
    if (rest.n) ws_receive_later(s, rest);
    ws_server_mark(s);
    alive(s);
    arm(s, clock_mono_ms());
    if (server->draining) ws_session_close(s, WS_GOING_AWAY, STR("server going away"));
    return s;
}

void *ws_session_extra(struct ws_session *s)
{
    return s->extra;
}

/* --- receiving -------------------------------------------------------------------------------- */

static void on_data(void *owner, const uint8_t *data, size_t n)
{
    struct ws_session *s = owner;
    check(s);
    alive(s);
    /* A TLS record may bring frames in the very call that made the upgrade: what answers them
     * follows the head. */
    if (s->head_queued) ws_receive_later(s, (struct str){ (const char *) data, n });
    else ws_receive(s, data, n);
}

static void on_eof(void *owner)
{
    ws_session_end(owner);
}

/* An even rate with five seconds' worth of credit: a burst passes, a habit does not. */
static bool is_within_rate(struct ws_session *s)
{
    enum { CREDIT_US = 5000000 };
    int rate = s->server->options.messages_per_second;
    if (rate <= 0) return true;
    uint64_t now = clock_mono_us();
    if (s->budget_us < now) s->budget_us = now;
    s->budget_us += 1000000 / (uint64_t) rate;
    return s->budget_us <= now + CREDIT_US;
}

void ws_session_text(struct ws_session *s, struct str text)
{
    if (s->state != WS_OPEN) return;
    s->server->counters.messages.value++;
    if (is_within_rate(s)) s->handler->on_text(s, text);
    else ws_session_fail(s, WS_POLICY);
}

/* However many pings arrive, the newest one's answer is the only one that waits. */
void ws_session_pong(struct ws_session *s, struct str payload)
{
    if (s->state != WS_OPEN) return;
    if (s->pong) ws_frame_unref(s->pong);
    s->pong = ws_frame_new(WS_PONG, payload);
    ws_server_mark(s);
}

/* --- sending ---------------------------------------------------------------------------------- */

static void recount(struct ws_session *s)
{
    uint32_t now = s->queue.bytes + s->pending;
    s->server->waiting += (int64_t) now - (int64_t) s->counted;
    s->counted = now;
}

static void drop_output(struct ws_session *s)
{
    ws_queue_clear(&s->queue, &s->server->rings);
    if (s->pong) ws_frame_unref(s->pong);
    s->pong = NULL;
    s->ping_due = false;
    recount(s);
}

static bool has_output(const struct ws_session *s)
{
    return s->queue.count > 0 || s->pong || s->ping_due;
}

static struct iovec iov_of(const struct ws_frame *f)
{
    return (struct iovec){ .iov_base = (void *) (uintptr_t) f->bytes, .iov_len = f->size };
}

/* Hands over as much as one write should carry. Pings and pongs go first: they must not wait
 * behind the queue. */
static bool write_batch(struct ws_session *s)
{
    struct iovec iov[WS_IOV_MAX];
    struct ws_counters *counters = &s->server->counters;
    int n = 0;
    size_t bytes = 0;
    uint32_t taken = 0;
    if (s->ping_due) iov[n++] = iov_of(s->server->ping);
    if (s->pong) iov[n++] = iov_of(s->pong);
    for (int i = 0; i < n; i++) bytes += iov[i].iov_len;
    while (n < WS_IOV_MAX && taken < s->queue.count && bytes < WRITE_BYTES) {
        iov[n] = iov_of(ws_queue_at(&s->queue, taken++));
        bytes += iov[n++].iov_len;
    }
    enum err err = net_write(s->conn, iov, n);
    counters->frames.value += n - s->head_queued;
    counters->bytes.value += (int64_t) bytes;
    s->head_queued = s->ping_due = false;
    if (s->pong) ws_frame_unref(s->pong);
    s->pong = NULL;
    ws_queue_drop(&s->queue, &s->server->rings, taken);
    return err == OK;
}

static void finish(struct ws_session *s)
{
    s->state = WS_ENDED;
    wheel_cancel(&s->timer);
    net_close_after_write(s->conn);
}

static void write_out(struct ws_session *s)
{
    while (s->state != WS_ENDED && has_output(s)) {
        if (s->state != WS_ENDING && net_pending(s->conn) > 0) break;
        if (!write_batch(s)) ws_session_end(s);
    }
    s->pending = s->state == WS_ENDED ? 0 : (uint32_t) net_pending(s->conn);
    recount(s);
}

void ws_session_flush(struct ws_session *s)
{
    check(s);
    write_out(s);
    ws_receive_held(s);
    if (s->state == WS_ENDING && !has_output(s)) finish(s);
}

static void on_drain(void *owner)
{
    struct ws_session *s = owner;
    check(s);
    s->pending = 0;
    recount(s);
    if (has_output(s)) ws_server_mark(s);
}

/* More waits than may. What the kernel would have taken this turn does not count; then the newest
 * state has to do; and when that does not make a good part of the queue free, so that the next
 * frame would bring us here again, the client is better served by starting over from its cursor. */
static void relieve(struct ws_session *s)
{
    uint32_t bound = (uint32_t) s->server->options.queue_bytes;
    s->pending = (uint32_t) net_pending(s->conn);
    if (s->pending == 0) write_out(s);
    recount(s);
    if (s->state != WS_OPEN || s->queue.count == 0 || s->counted <= bound) return;
    s->server->counters.conflated.value += ws_queue_conflate(&s->queue);
    recount(s);
    if (s->counted > bound - bound / 8) ws_session_slow(s);
}

static bool offer(void *to, struct ws_frame *frame)
{
    struct ws_session *s = to;
    if (s->state != WS_OPEN) return false;
    ws_queue_push(&s->queue, &s->server->rings, ws_frame_ref(frame));
    recount(s);
    ws_server_mark(s);
    if (s->counted > (uint32_t) s->server->options.queue_bytes) relieve(s);
    return true;
}

void ws_session_send(struct ws_session *s, struct ws_frame *frame)
{
    offer(s, frame);
}

struct ws_outlet ws_session_outlet(struct ws_session *s)
{
    return (struct ws_outlet){ .send = offer, .to = s };
}

void ws_session_send_text(struct ws_session *s, struct str text)
{
    if (s->state != WS_OPEN) return;
    struct ws_frame *f = ws_frame_new(WS_TEXT, text);
    ws_session_send(s, f);
    ws_frame_unref(f);
}

size_t ws_session_waiting(const struct ws_session *s)
{
    return s->queue.bytes + (s->state == WS_ENDED ? 0 : net_pending(s->conn));
}

/* --- closing ---------------------------------------------------------------------------------- */

static void push_close(struct ws_session *s, struct str payload)
{
    ws_queue_push(&s->queue, &s->server->rings, ws_frame_new(WS_CLOSE, payload));
    recount(s);
    ws_server_mark(s);
}

/* A reason that is too long is cut, but not inside a character. */
static void push_close_code(struct ws_session *s, int code, struct str reason)
{
    char payload[WS_CONTROL_MAX] = { (char) (code >> 8), (char) code };
    size_t n = reason.n < REASON_MAX ? reason.n : REASON_MAX;
    while (n < reason.n && n > 0 && ((uint8_t) reason.p[n] & 0xc0) == 0x80) n--;
    if (n) memcpy(payload + 2, reason.p, n);
    s->close_code = (uint16_t) code;
    push_close(s, (struct str){ payload, n + 2 });
}

static void await_peer(struct ws_session *s)
{
    uint64_t now = clock_mono_ms();
    s->state = WS_CLOSING;
    s->deadline_ms = 0;
    s->alive_ms = now + (uint64_t) s->server->options.close_timeout_ms;
    arm(s, now);
}

void ws_session_close(struct ws_session *s, int code, struct str reason)
{
    check(s);
    must(code >= WS_NORMAL && code <= 4999 && code != WS_NO_CODE && code != WS_ABNORMAL);
    if (s->state != WS_OPEN) return;
    push_close_code(s, code, reason);
    await_peer(s);
}

/* The close frame goes right behind what net holds, not behind a queue that does not move. */
void ws_session_slow(struct ws_session *s)
{
    if (s->state != WS_OPEN) return;
    s->server->counters.slow.value++;
    drop_output(s);
    push_close_code(s, s->server->options.slow_code, STR("too slow"));
    await_peer(s);
    if (!write_batch(s)) ws_session_end(s);
    recount(s);
}

void ws_session_fail(struct ws_session *s, int code)
{
    if (s->state >= WS_ENDING) return;
    if (s->state == WS_OPEN) push_close_code(s, code, STR_NONE);
    s->state = WS_ENDING;
    ws_server_mark(s);
}

/* The answer to a close is the same close. A peer that has said so reads no more events: they are
 * dropped. */
void ws_session_peer_closed(struct ws_session *s, int code, struct str payload)
{
    s->peer_code = (uint16_t) code;
    if (s->state == WS_OPEN) {
        drop_output(s);
        push_close(s, payload);
    }
    s->state = WS_ENDING;
    ws_server_mark(s);
}

void ws_session_end(struct ws_session *s)
{
    check(s);
    if (s->state == WS_ENDED) return;
    s->state = WS_ENDED;
    s->pending = 0;
    drop_output(s);
    wheel_cancel(&s->timer);
    net_close(s->conn);
}

bool ws_session_is_closing(const struct ws_session *s)
{
    return s->state != WS_OPEN;
}

static struct metric *counter_of(struct ws_counters *c, int code)
{
    if (code == WS_NORMAL || code == WS_GOING_AWAY || code == WS_NO_CODE) return &c->closed_normal;
    if (code == WS_ABNORMAL) return &c->closed_abnormal;
    return code < 3000 ? &c->closed_violation : &c->closed_application;
}

static void on_close(void *owner, enum err why)
{
    (void) why;
    struct ws_session *s = owner;
    struct ws_server *server = s->server;
    check(s);
    s->state = WS_ENDED;
    s->pending = 0;
    drop_output(s);
    wheel_cancel(&s->timer);
    ws_receive_end(s);
    int code = s->peer_code ? s->peer_code : WS_ABNORMAL;
    counter_of(&server->counters, s->close_code ? s->close_code : code)->value++;
    list_unlink(&s->dirty);
    list_unlink(&s->link);
    server->count--;
    s->handler->on_close(s, code);
    s->magic = 0;
    mem_free(s);
    ws_server_gone(server);
}
