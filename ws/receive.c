/* From bytes to messages. wslay's frame layer takes headers, lengths and masks apart; which frame
 * may follow which, what a message may weigh and what a close may say is decided here. (wslay's
 * event layer would do that as well, but it lets a close with one byte of payload pass, checks a
 * close's reason wrongly when it arrives in pieces, and keeps a hundred bytes for every fragment
 * of one byte.)
 *
 * A receiver, wslay's context of 4 KB and what has been received of a message, belongs to a
 * session only while a frame or a message is incomplete. In between it lies in the server's pool:
 * wslay keeps nothing at a frame's end, and `open_bytes`, what was fed less the complete frames,
 * tells that it is one. A receiver left in the middle of a frame is thrown away.
 *
 * A message of one frame that is in wslay's buffer as a whole is handed over from there; any other
 * is put together in `message`, which grows with what has really arrived, not with what a header
 * announced. */
#include <string.h>
#include <wslay/wslay.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/session_private.h"

enum { OP_CONTINUATION = 0, KEEP_BYTES = 4096 };

struct ws_receiver {
    struct ws_receiver *next_free;
    wslay_frame_context_ptr wslay;
    const uint8_t *in; /* what is being fed */
    size_t in_n;
    uint64_t open_bytes;
    uint64_t since_ms;  /* when the message being received began, at the earliest */
    uint64_t frame_off; /* of the current frame's payload, received */
    bool in_frame;
    bool in_message; /* between the first fragment and the last */
    uint8_t control_n;
    char control[WS_CONTROL_MAX];
    struct buf message;
    struct buf held; /* to be fed at the end of the turn */
};

/* --- the pool --------------------------------------------------------------------------------- */

static ssize_t feed(uint8_t *buf, size_t n, int flags, void *user_data)
{
    (void) flags;
    struct ws_receiver *r = user_data;
    if (r->in_n == 0) return -1;
    if (n > r->in_n) n = r->in_n;
    memcpy(buf, r->in, n);
    r->in += n;
    r->in_n -= n;
    return (ssize_t) n;
}

static struct ws_receiver *receiver_new(struct ws_server *server)
{
    struct ws_receiver *r = mem_new(struct ws_receiver);
    const struct wslay_frame_callbacks callbacks = { .recv_callback = feed };
    must(wslay_frame_context_init(&r->wslay, &callbacks, r) == 0);
    buf_init(&r->message, (size_t) server->options.message_max);
    buf_init(&r->held, SIZE_MAX / 2);
    return r;
}

static void receiver_free(struct ws_receiver *r)
{
    wslay_frame_context_free(r->wslay);
    buf_fini(&r->message);
    buf_fini(&r->held);
    mem_free(r);
}

static struct ws_receiver *borrow(struct ws_session *s)
{
    struct ws_server *server = s->server;
    if (s->receiver) return s->receiver;
    s->receiver = server->receivers;
    if (s->receiver) {
        server->receivers = s->receiver->next_free;
        server->receivers_kept--;
    } else {
        s->receiver = receiver_new(server);
    }
    s->receiver->since_ms = clock_mono_ms();
    return s->receiver;
}

static void give_back(struct ws_server *server, struct ws_receiver *r)
{
    bool clean = r->open_bytes == 0 && !r->in_message && r->held.n == 0;
    if (!clean || server->receivers_kept >= WS_RECEIVERS_KEPT) {
        receiver_free(r);
        return;
    }
    if (r->message.cap > KEEP_BYTES) {
        buf_fini(&r->message);
        buf_init(&r->message, (size_t) server->options.message_max);
    }
    r->next_free = server->receivers;
    server->receivers = r;
    server->receivers_kept++;
}

void ws_receive_end(struct ws_session *s)
{
    if (s->receiver) give_back(s->server, s->receiver);
    s->receiver = NULL;
}

void ws_receivers_fini(struct ws_server *server)
{
    while (server->receivers) {
        struct ws_receiver *r = server->receivers;
        server->receivers = r->next_free;
        receiver_free(r);
    }
}

/* --- the rules: each returns 0 or the code to close with -------------------------------------- */

static bool is_control(uint8_t opcode)
{
    return opcode & 8;
}

static int begin_frame(const struct ws_session *s, const struct ws_receiver *r, const struct wslay_frame_iocb *frame)
{
    if (frame->rsv != 0 || !frame->mask) return WS_PROTOCOL_ERROR;
    switch (frame->opcode) {
    case WS_CLOSE:
    case WS_PING:
    case WS_PONG: return frame->payload_length <= WS_CONTROL_MAX ? 0 : WS_PROTOCOL_ERROR;
    case OP_CONTINUATION:
        if (!r->in_message) return WS_PROTOCOL_ERROR;
        break;
    case WS_TEXT:
    case WS_BINARY:
        if (r->in_message) return WS_PROTOCOL_ERROR;
        if (frame->opcode == WS_BINARY) return WS_NOT_TEXT;
        break;
    default: return WS_PROTOCOL_ERROR;
    }
    size_t room = (size_t) s->server->options.message_max - r->message.n;
    return frame->payload_length <= room ? 0 : WS_TOO_BIG;
}

static bool is_close_code(int code)
{
    if (code >= 3000) return code <= 4999;
    return code >= 1000 && code <= 1014 && code != 1004 && code != WS_NO_CODE && code != WS_ABNORMAL;
}

static int end_control(struct ws_session *s, uint8_t opcode, struct str payload)
{
    if (opcode == WS_PING) ws_session_pong(s, payload);
    if (opcode != WS_CLOSE) return 0;
    int code = WS_NO_CODE;
    if (payload.n == 1) return WS_PROTOCOL_ERROR;
    if (payload.n >= 2) {
        code = (uint8_t) payload.p[0] << 8 | (uint8_t) payload.p[1];
        if (!is_close_code(code)) return WS_PROTOCOL_ERROR;
        if (!str_is_utf8((struct str){ payload.p + 2, payload.n - 2 })) return WS_BAD_UTF8;
    }
    ws_session_peer_closed(s, code, payload);
    return 0;
}

static int end_message(struct ws_session *s, struct ws_receiver *r, struct str text)
{
    r->since_ms = clock_mono_ms();
    if (!str_is_utf8(text)) return WS_BAD_UTF8;
    ws_session_text(s, text);
    return 0;
}

static void keep(struct ws_receiver *r, const struct wslay_frame_iocb *frame)
{
    if (frame->data_length == 0) return;
    if (!is_control(frame->opcode)) {
        buf_put(&r->message, frame->data, frame->data_length);
        must(!r->message.failed);
        return;
    }
    must(r->control_n + frame->data_length <= sizeof r->control);
    memcpy(r->control + r->control_n, frame->data, frame->data_length);
    r->control_n = (uint8_t) (r->control_n + frame->data_length);
}

static int end_frame(struct ws_session *s, struct ws_receiver *r, const struct wslay_frame_iocb *frame)
{
    uint64_t n = frame->payload_length;
    r->open_bytes -= n + (n < 126 ? 6 : n <= UINT16_MAX ? 8 : 14);
    r->in_frame = false;
    if (is_control(frame->opcode)) {
        struct str payload = { r->control, r->control_n };
        r->control_n = 0;
        return end_control(s, frame->opcode, payload);
    }
    r->in_message = !frame->fin;
    if (r->in_message) return 0;
    int fault = end_message(s, r, buf_view(&r->message));
    buf_clear(&r->message);
    return fault;
}

/* The part of a frame that wslay has in its buffer. */
static int take(struct ws_session *s, struct ws_receiver *r, const struct wslay_frame_iocb *frame)
{
    if (!r->in_frame) {
        int fault = begin_frame(s, r, frame);
        if (fault) return fault;
        r->in_frame = true;
        r->frame_off = 0;
        if (frame->opcode == WS_TEXT && frame->fin && frame->data_length == frame->payload_length) {
            r->open_bytes -= frame->payload_length + (frame->payload_length < 126 ? 6 : 8);
            r->in_frame = false;
            return end_message(s, r, (struct str){ (const char *) frame->data, frame->data_length });
        }
    }
    keep(r, frame);
    r->frame_off += frame->data_length;
    return r->frame_off == frame->payload_length ? end_frame(s, r, frame) : 0;
}

/* --- the session's side ----------------------------------------------------------------------- */

static bool is_listening(const struct ws_session *s)
{
    return s->state == WS_OPEN || s->state == WS_CLOSING;
}

void ws_receive(struct ws_session *s, const uint8_t *data, size_t n)
{
    if (!is_listening(s)) return;
    struct ws_receiver *r = borrow(s);
    r->in = data;
    r->in_n = n;
    r->open_bytes += n;
    while (is_listening(s)) {
        struct wslay_frame_iocb frame = { 0 };
        ssize_t got = wslay_frame_recv(r->wslay, &frame);
        if (got == WSLAY_ERR_WANT_READ) {
            if (r->in_n == 0) break;
            continue;
        }
        int fault = got < 0 ? WS_PROTOCOL_ERROR : take(s, r, &frame);
        if (fault) ws_session_fail(s, fault);
    }
    r->in = NULL;
    r->in_n = 0;
    if ((r->open_bytes == 0 && !r->in_message) || !is_listening(s)) ws_receive_end(s);
}

bool ws_receive_is_overdue(const struct ws_session *s, uint64_t now_ms)
{
    return s->receiver && s->receiver->since_ms + (uint64_t) s->server->options.message_timeout_ms <= now_ms;
}

void ws_receive_later(struct ws_session *s, struct str rest)
{
    buf_str(&borrow(s)->held, rest);
}

void ws_receive_held(struct ws_session *s)
{
    if (!s->receiver || s->receiver->held.n == 0) return;
    struct buf held = s->receiver->held;
    buf_init(&s->receiver->held, SIZE_MAX / 2);
    ws_receive(s, (const uint8_t *) held.p, held.n);
    buf_fini(&held);
}
