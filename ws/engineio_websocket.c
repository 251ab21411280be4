/* The WebSocket as a transport, and the change to it from polling.
 *
 * Each ws_session knows its Engine.IO session, or NULL once that has ended or gone another way; then nothing that it
 * still says is heard. While it is being tried (p->probe) it says "2probe" and then "5"; anything else ends the
 * attempt, and the session goes on polling. */
#include "core/must.h"
#include "ws/engineio_private.h"

static struct eio_session **session_of(struct ws_session *ws)
{
    return ws_session_extra(ws);
}

void eio_websocket_detach(struct ws_session *ws)
{
    *session_of(ws) = NULL;
}

void eio_websocket_open(struct eio_server *server, const struct eio_request *r, struct ws_session *ws)
{
    struct eio_session *s = eio_session_new(server, r->opening);
    *session_of(ws) = s;
    s->ws = ws;
    server->websockets++;
    eio_session_begin(s);
}

/* --- the change --------------------------------------------------------------------------------------------------- */

void eio_websocket_probe(struct eio_session *s, struct ws_session *ws)
{
    if (!s || s->state != EIO_IS_OPEN || !s->polling || s->polling->probe) {
        ws_session_close(ws, WS_NORMAL, STR_NONE);
        return;
    }
    *session_of(ws) = s;
    s->polling->probe = ws;
    ws_session_deadline(ws, (uint64_t) s->server->options.upgrade_timeout_ms);
}

static void give_up(struct eio_session *s, struct ws_session *ws)
{
    s->polling->probe = NULL;
    s->polling->probed = false;
    eio_websocket_detach(ws);
    ws_session_close(ws, WS_NORMAL, STR_NONE);
}

/* What waits goes the new way, in order; a poll that still waits ends with a noop. */
static void change_over(struct eio_session *s, struct ws_session *ws)
{
    struct eio_polling *p = s->polling;
    s->ws = ws;
    p->probe = NULL;
    s->server->websockets++;
    s->server->counters.upgrades.value++;
    for (uint32_t i = 0; i < p->queue.count; i++) ws_session_send(ws, ws_queue_at(&p->queue, i));
    eio_polling_end(s);
    eio_session_arm(s);
}

static void take_probe(struct eio_session *s, struct ws_session *ws, struct str text)
{
    if (str_eq(text, STR("2probe"))) {
        ws_session_send_text(ws, STR("3probe"));
        s->polling->probed = true;
        eio_server_mark(s);
    } else if (str_eq(text, STR("5")) && s->state == EIO_IS_OPEN) {
        change_over(s, ws);
    } else {
        give_up(s, ws);
    }
}

/* --- what the WebSocket says -------------------------------------------------------------------------------------- */

static void on_text(struct ws_session *ws, struct str text)
{
    struct eio_session *s = *session_of(ws);
    struct eio_packet packet;
    if (!s) return;
    must(s->magic == EIO_MAGIC);
    if (s->ws != ws) take_probe(s, ws, text);
    else if (eio_packet_parse(text, &packet)) eio_session_take(s, &packet);
    else eio_session_end(s, EIO_PARSE_ERROR);
}

static void on_close(struct ws_session *ws, int code)
{
    struct eio_session *s = *session_of(ws);
    (void) code;
    if (!s) return;
    must(s->magic == EIO_MAGIC);
    if (s->ws != ws) {
        s->polling->probe = NULL;
        s->polling->probed = false;
        return;
    }
    s->ws = NULL;
    s->server->websockets--;
    eio_session_end(s, s->server->draining ? EIO_GOING_AWAY : EIO_PEER_CLOSED);
}

static void on_deadline(struct ws_session *ws)
{
    struct eio_session *s = *session_of(ws);
    if (!s) return;
    if (s->ws == ws) eio_session_on_timer(s);
    else give_up(s, ws);
}

const struct ws_handler eio_websocket_handler = { on_text, on_close, on_deadline };
