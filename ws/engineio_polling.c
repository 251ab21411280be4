/* The transport that polls: packets wait in the session until a poll fetches them, all in one payload; a poll that
 * finds none waits until the turn in which there are. Posts bring packets the other way.
 *
 * While a WebSocket is being tried, polls end with a noop as soon as the probe was answered, so that the client can
 * pause polling and change over: it waits for its poll's end before it does. */
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"
#include "ws/engineio_private.h"

enum { WAITING_TOTAL = 256 << 20 };

static void on_timer(struct wheel_timer *t)
{
    eio_session_on_timer(list_entry(t, struct eio_polling, timer)->session);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

static void fill_text(void *arg, char *to)
{
    const struct str *text = arg;
    if (text->n) memcpy(to, text->p, text->n);
}

void eio_answer(struct eio_exchange *x, int status, struct str body)
{
    x->session = NULL;
    x->answer(x, status, body.n, fill_text, &body);
}

static void fill_packets(void *arg, char *to)
{
    eio_payload_write(arg, to);
}

static void recount(struct eio_session *s)
{
    struct eio_polling *p = s->polling;
    s->server->waiting += (int64_t) p->queue.bytes - (int64_t) p->counted;
    p->counted = p->queue.bytes;
}

static void drop_queue(struct eio_session *s)
{
    ws_queue_clear(&s->polling->queue, &s->server->rings);
    recount(s);
}

static struct eio_exchange *take_poll(struct eio_polling *p)
{
    struct eio_exchange *x = p->poll;
    p->poll = NULL;
    x->session = NULL;
    return x;
}

/* Everything that waits, written once, where it leaves from. */
static void answer_packets(struct eio_session *s)
{
    struct eio_polling *p = s->polling;
    struct eio_exchange *x = take_poll(p);
    x->answer(x, 200, eio_payload_size(&p->queue), fill_packets, &p->queue);
    drop_queue(s);
}

void eio_polling_flush(struct eio_session *s)
{
    struct eio_polling *p = s->polling;
    if (!p->poll) return;
    if (p->queue.count > 0) answer_packets(s);
    else if (p->probed) eio_answer(take_poll(p), 200, STR("6"));
    else return;
    if (s->state == EIO_IS_CLOSING) eio_session_end(s, EIO_FORCED); /* the close packet was the last of these */
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

void eio_polling_open(struct eio_server *server, const struct eio_request *r, struct eio_exchange *x)
{
    struct eio_session *s = eio_session_new(server, r->opening);
    s->polling = mem_new(struct eio_polling);
    s->polling->session = s;
    s->polling->poll = x;
    x->session = s;
    wheel_timer_init(&s->polling->timer, on_timer);
    eio_session_begin(s);
}

void eio_polling_poll(struct eio_session *s, struct eio_exchange *x)
{
    if (s->polling->poll) {
        eio_answer(x, 400, eio_fault_body(EIO_BAD_REQUEST));
        eio_session_end(s, EIO_TRANSPORT_ERROR);
        return;
    }
    s->polling->poll = x;
    x->session = s;
    eio_server_mark(s);
}

/* Packets count as they come: what stands before a broken one has been taken. */
static enum eio_fault take_payload(struct eio_session *s, struct str payload)
{
    struct eio_packet packet;
    if (payload.n == 0 || !str_is_utf8(payload)) {
        eio_session_end(s, EIO_PARSE_ERROR);
        return EIO_BAD_REQUEST;
    }
    while (payload.p && s->state == EIO_IS_OPEN) {
        if (eio_payload_next(&payload, &packet)) {
            eio_session_take(s, &packet);
        } else {
            eio_session_end(s, EIO_PARSE_ERROR);
        }
    }
    return s->state != EIO_IS_OPEN && s->why != EIO_PEER_CLOSED && s->why != EIO_FORCED ? EIO_BAD_REQUEST
                                                                                        : EIO_FAULT_NONE;
}

void eio_polling_announce(struct eio_session *s, struct eio_exchange *x)
{
    if (s->polling->post) {
        eio_session_end(s, EIO_TRANSPORT_ERROR); /* what follows with x finds no session */
        return;
    }
    s->polling->post = x;
    x->session = s;
}

void eio_polling_post(struct eio_session *s, const struct eio_request *r, struct eio_exchange *x)
{
    enum eio_fault fault = EIO_FAULT_NONE;
    bool overlaps = s->polling->post && s->polling->post != x;
    if (s->polling->post == x) s->polling->post = NULL;
    x->session = NULL;
    if (overlaps) {
        eio_session_end(s, EIO_TRANSPORT_ERROR);
        fault = EIO_BAD_REQUEST;
    } else if (r->is_binary) {
        eio_session_end(s, EIO_PARSE_ERROR);
        fault = EIO_BAD_REQUEST;
    } else if (s->state == EIO_IS_OPEN) {
        fault = take_payload(s, r->body);
    }
    if (fault == EIO_FAULT_NONE) eio_answer(x, 200, STR("ok"));
    else eio_answer(x, 400, eio_fault_body(fault));
}

void eio_abandoned(struct eio_exchange *x)
{
    if (x->session) eio_session_end(x->session, EIO_TRANSPORT_ERROR);
}

/* --- packets ------------------------------------------------------------------------------------------------------ */

bool eio_polling_push(struct eio_session *s, struct ws_frame *packet)
{
    struct eio_server *server = s->server;
    struct eio_polling *p = s->polling;
    if (p->queue.bytes + packet->size > (uint32_t) server->options.queue_bytes || server->waiting > WAITING_TOTAL) {
        eio_session_end(s, EIO_TOO_SLOW);
        return false;
    }
    ws_queue_push(&p->queue, &server->rings, ws_frame_ref(packet));
    recount(s);
    eio_server_mark(s);
    return true;
}

/* A poll that waits is not left waiting: it hears that all is over, or, when the client knows that or goes on with its
 * WebSocket, nothing. */
void eio_polling_end(struct eio_session *s)
{
    struct eio_polling *p = s->polling;
    bool knows = s->ws || s->why == EIO_PEER_CLOSED;
    wheel_cancel(&p->timer);
    drop_queue(s);
    s->polling = NULL;
    if (p->post) p->post->session = NULL;
    if (p->poll) eio_answer(take_poll(p), 200, knows ? STR("6") : STR("1"));
    if (p->probe) {
        eio_websocket_detach(p->probe);
        ws_session_close(p->probe, WS_NORMAL, STR_NONE);
    }
    mem_free(p);
}
