/* One Engine.IO session: what its packets mean, its heartbeat, its end.
 *
 * The heartbeat is counted in absolute times, so that the ticks of the wheel do not add up: a ping is due an interval
 * after the last pong, the pong a timeout after that. A request that comes for a session whose time is over finds it
 * gone even where the wheel has not come by yet. */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/engineio_private.h"

static void check(const struct eio_session *s)
{
    must(s->magic == EIO_MAGIC);
}

const char *eio_reason_text(enum eio_reason why)
{
    switch (why) {
    case EIO_PEER_CLOSED: return "transport close";
    case EIO_TRANSPORT_ERROR: return "transport error";
    case EIO_PING_TIMEOUT: return "ping timeout";
    case EIO_PARSE_ERROR: return "parse error";
    case EIO_TOO_SLOW: return "too slow";
    case EIO_TOO_MANY: return "too many messages";
    case EIO_FORCED: return "forced server close";
    case EIO_GOING_AWAY: return "server shutting down";
    }
    return "unknown";
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static char *keep_opening(struct str opening)
{
    if (opening.n == 0) return NULL;
    char *kept = mem_alloc(sizeof opening.n + opening.n);
    memcpy(kept, &opening.n, sizeof opening.n);
    memcpy(kept + sizeof opening.n, opening.p, opening.n);
    return kept;
}

struct eio_session *eio_session_new(struct eio_server *server, struct str opening)
{
    struct eio_session *s = mem_alloc(sizeof *s + (size_t) server->options.extra_bytes);
    s->magic = EIO_MAGIC;
    s->server = server;
    s->opening = keep_opening(opening);
    list_init(&s->link);
    list_init(&s->dirty);
    eio_server_add(s);
    return s;
}

void eio_session_free(struct eio_session *s)
{
    must(s->state == EIO_HAS_ENDED && s->told && !s->ws && !s->polling);
    list_unlink(&s->link);
    list_unlink(&s->dirty);
    s->server->count--;
    eio_session_forget_opening(s);
    s->magic = 0;
    mem_free(s);
}

void eio_session_begin(struct eio_session *s)
{
    char text[EIO_HANDSHAKE_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };
    eio_server_handshake(s, &b);
    struct ws_frame *packet = ws_frame_new(WS_TEXT, buf_view(&b));
    eio_session_send(s, packet);
    ws_frame_unref(packet);
    s->due_ms = clock_mono_ms() + (uint64_t) s->server->options.ping_interval_ms;
    eio_session_arm(s);
    s->server->options.handler->on_open(s);
}

void *eio_session_extra(struct eio_session *s)
{
    return s->extra;
}

struct eio_server *eio_session_server(const struct eio_session *s)
{
    return s->server;
}

struct str eio_session_sid(const struct eio_session *s)
{
    return (struct str){ s->sid, s->sid_n };
}

struct str eio_session_opening(const struct eio_session *s)
{
    struct str opening = STR_NONE;
    if (!s->opening) return opening;
    memcpy(&opening.n, s->opening, sizeof opening.n);
    opening.p = s->opening + sizeof opening.n;
    return opening;
}

void eio_session_forget_opening(struct eio_session *s)
{
    mem_free(s->opening);
    s->opening = NULL;
}

bool eio_session_is_websocket(const struct eio_session *s)
{
    return s->ws != NULL;
}

bool eio_session_is_closing(const struct eio_session *s)
{
    return s->state != EIO_IS_OPEN;
}

/* --- the heartbeat ------------------------------------------------------------------------------------------------ */

/* A WebSocket session brings a timer along; one that polls has it with the rest of what only polling needs. */
void eio_session_arm(struct eio_session *s)
{
    uint64_t now = clock_mono_ms();
    uint64_t after = s->due_ms > now ? s->due_ms - now : 0;
    if (s->ws) ws_session_deadline(s->ws, after ? after : 1);
    else if (s->polling) wheel_set(s->server->options.wheel, &s->polling->timer, after);
}

static void ping(struct eio_session *s)
{
    const struct eio_server *server = s->server;
    s->pong_awaited = true;
    s->due_ms += (uint64_t) server->options.ping_timeout_ms;
    eio_session_send(s, server->ping);
    if (server->options.handler->on_ping) server->options.handler->on_ping(s);
    if (s->state == EIO_IS_OPEN) eio_session_arm(s);
}

static void take_pong(struct eio_session *s)
{
    if (!s->pong_awaited) return;
    s->pong_awaited = false;
    s->due_ms = clock_mono_ms() + (uint64_t) s->server->options.ping_interval_ms;
    eio_session_arm(s);
}

bool eio_session_is_overdue(const struct eio_session *s)
{
    return s->state != EIO_HAS_ENDED && s->due_ms <= clock_mono_ms();
}

void eio_session_on_timer(struct eio_session *s)
{
    check(s);
    if (s->state == EIO_HAS_ENDED) return;
    if (!eio_session_is_overdue(s)) {
        eio_session_arm(s);
        return;
    }
    if (s->state == EIO_IS_OPEN && !s->pong_awaited) ping(s);
    if (eio_session_is_overdue(s)) eio_session_end(s, EIO_PING_TIMEOUT); /* a late ping does not move the pong's time */
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

/* An even rate with five seconds' worth of credit: a burst passes, a habit does not. */
static bool is_within_rate(struct eio_session *s)
{
    enum { CREDIT_US = 5000000 };
    int rate = s->server->options.messages_per_second;
    if (rate <= 0) return true;
    uint64_t now = clock_mono_us();
    if (s->budget_us < now) s->budget_us = now;
    s->budget_us += 1000000 / (uint64_t) rate;
    return s->budget_us <= now + CREDIT_US;
}

/* Pings are the server's in this version of the protocol; the types of the handshake and of the change of transports
 * say nothing here. */
void eio_session_take(struct eio_session *s, const struct eio_packet *p)
{
    check(s);
    if (s->state != EIO_IS_OPEN) return;
    switch (p->type) {
    case EIO_MESSAGE:
        s->server->counters.messages.value++;
        if (is_within_rate(s)) s->server->options.handler->on_message(s, p->data);
        else eio_session_end(s, EIO_TOO_MANY);
        break;
    case EIO_PONG: take_pong(s); break;
    case EIO_CLOSE: eio_session_end(s, EIO_PEER_CLOSED); break;
    case EIO_PING: eio_session_end(s, EIO_TRANSPORT_ERROR); break;
    default: break;
    }
}

static bool offer(void *to, struct ws_frame *packet)
{
    struct eio_session *s = to;
    if (s->state != EIO_IS_OPEN) return false;
    if (!s->ws) return eio_polling_push(s, packet);
    if (ws_session_is_closing(s->ws)) return false;
    ws_session_send(s->ws, packet);
    if (ws_session_is_closing(s->ws)) eio_session_end(s, EIO_TOO_SLOW);
    return s->state == EIO_IS_OPEN;
}

bool eio_session_send(struct eio_session *s, struct ws_frame *packet)
{
    check(s);
    return offer(s, packet);
}

struct ws_outlet eio_session_outlet(struct eio_session *s)
{
    return (struct ws_outlet){ .send = offer, .to = s };
}

size_t eio_session_waiting(const struct eio_session *s)
{
    if (s->ws) return ws_session_waiting(s->ws);
    return s->polling ? s->polling->queue.bytes : 0;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static int close_code(enum eio_reason why)
{
    switch (why) {
    case EIO_GOING_AWAY: return WS_GOING_AWAY;
    case EIO_PARSE_ERROR:
    case EIO_TRANSPORT_ERROR: return WS_PROTOCOL_ERROR;
    case EIO_TOO_MANY: return WS_POLICY;
    default: return WS_NORMAL;
    }
}

/* The first reason stays: what ends a session that is closing anyway is not why. */
static void leave(struct eio_session *s, enum eio_state to, enum eio_reason why)
{
    if (s->state == EIO_IS_OPEN) s->why = (uint8_t) why;
    s->state = (uint8_t) to;
    eio_server_mark(s);
}

void eio_session_end(struct eio_session *s, enum eio_reason why)
{
    check(s);
    if (s->state == EIO_HAS_ENDED) return;
    leave(s, EIO_HAS_ENDED, why);
    eio_server_forget(s);
    if (s->polling) eio_polling_end(s);
    if (!s->ws) return;
    struct ws_session *ws = s->ws;
    s->ws = NULL;
    s->server->websockets--;
    eio_websocket_detach(ws);
    ws_session_close(ws, close_code(why), STR_NONE);
}

void eio_session_close(struct eio_session *s, enum eio_reason why)
{
    check(s);
    if (s->state != EIO_IS_OPEN) return;
    if (!s->polling) {
        eio_session_end(s, why);
        return;
    }
    eio_session_send(s, s->server->close);
    if (s->state != EIO_IS_OPEN) return;
    leave(s, EIO_IS_CLOSING, why);
    s->due_ms = clock_mono_ms() + (uint64_t) s->server->options.close_timeout_ms;
    eio_session_arm(s);
}
