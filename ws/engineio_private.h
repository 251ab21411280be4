/* What the files of Engine.IO share (engineio_*.c). Nobody else includes this.
 *
 *     engineio_packet.c     the codec
 *     engineio_server.c     all sessions: ids, the judging of requests, flush, drain
 *     engineio_session.c    one session: packets in and out, heartbeat, its end
 *     engineio_polling.c    the transport that polls
 *     engineio_websocket.c  the WebSocket, and the change to it */
#pragma once

#include "core/map.h"
#include "ws/engineio.h"
#include "ws/session_private.h"

enum { EIO_MAGIC = 0x65696f34, EIO_SEPARATOR = 0x1e, EIO_HANDSHAKE_MAX = 256 };

/* --- engineio_packet.c -------------------------------------------------------------------------------------------- */

enum eio_packet_type {
    EIO_OPEN = '0',
    EIO_CLOSE = '1',
    EIO_PING = '2',
    EIO_PONG = '3',
    EIO_MESSAGE = '4',
    EIO_UPGRADE = '5',
    EIO_NOOP = '6',
};

struct eio_packet {
    char type; /* enum eio_packet_type */
    struct str data;
};

/* False: no packet of text (unknown type, empty, or binary). `text` must be valid UTF-8. */
bool eio_packet_parse(struct str text, struct eio_packet *out);
/* Cuts the next packet off a post's payload, which is not empty (rest->p is NULL after the last one). */
bool eio_payload_next(struct str *rest, struct eio_packet *out);
/* How many bytes the waiting packets have as one payload, and the payload. */
size_t eio_payload_size(const struct ws_queue *packets);
void eio_payload_write(const struct ws_queue *packets, char *to);

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/*     OPEN ──eio_session_close while nobody polls──▶ CLOSING ──poll, close_timeout──▶ ENDED ──end of the turn──▶ freed
 *       └────everything else that ends it──────────────────────────────────────────────▲
 * on_close comes at the end of the turn in which OPEN was left. */
enum eio_state {
    EIO_IS_OPEN,
    EIO_IS_CLOSING, /* the last packets wait for a poll */
    EIO_HAS_ENDED,
};

/* What a session has only while it polls. */
struct eio_polling {
    struct eio_session *session;
    struct eio_exchange *poll; /* waits for something to say, or NULL */
    struct eio_exchange *post; /* its body is still arriving, or NULL */
    struct ws_queue queue;     /* packets for the next poll */
    struct ws_session *probe;  /* a WebSocket that is being tried, or NULL */
    bool probed;               /* it was answered: polls end at once */
    uint32_t counted;          /* this session's part in eio_server.waiting */
    struct wheel_timer timer;
};

struct eio_session {
    uint32_t magic;
    uint8_t state, why; /* enum eio_state; enum eio_reason once it is not open */
    bool pong_awaited;
    bool told; /* on_close was called */
    uint8_t sid_n;
    struct eio_server *server;
    struct ws_session *ws;       /* NULL: it polls, or has ended */
    struct eio_polling *polling; /* NULL: it does not */
    struct list link;            /* among the server's */
    struct list dirty;           /* in the server's list of sessions to look at when this turn ends */
    uint64_t due_ms;             /* the next ping, the pong's deadline, or the end of CLOSING */
    uint64_t budget_us;          /* when the messages received so far would have been allowed at an even rate */
    char *opening;               /* a length and its text, or NULL */
    char sid[EIO_SID_MAX];
    uint64_t extra[];
};
_Static_assert(sizeof(struct eio_session) <= 136, "an idle connection must stay small");

struct eio_counters {
    struct metric polling, websocket, waiting, upgrades, messages;
    struct metric closed[EIO_GOING_AWAY + 1];
};

struct eio_server {
    struct eio_options options;
    struct ws_server *ws;
    struct map by_sid; /* by the sid's hash */
    struct list sessions, dirty;
    struct turn_item flush;
    int count, websockets;
    int64_t waiting; /* bytes for polls, of all sessions */
    bool draining;
    char prefix[EIO_PREFIX_MAX]; /* of every sid; a copy of the options' */
    size_t prefix_n;
    struct ws_rings rings;
    struct ws_frame *ping, *close, *noop;
    struct eio_counters counters;
};

/* engineio_server.c */
void eio_server_add(struct eio_session *s); /* gives it its sid, too */
void eio_server_forget(struct eio_session *s);
void eio_server_mark(struct eio_session *s); /* to be looked at when this turn ends */
void eio_server_handshake(const struct eio_session *s, struct buf *out);

/* engineio_session.c */
struct eio_session *eio_session_new(struct eio_server *server, struct str opening);
void eio_session_free(struct eio_session *s);
void eio_session_begin(struct eio_session *s); /* the handshake packet, on_open, the first heartbeat */
void eio_session_take(struct eio_session *s, const struct eio_packet *p);
void eio_session_end(struct eio_session *s, enum eio_reason why); /* at once */
void eio_session_arm(struct eio_session *s);                      /* the timer, for due_ms */
void eio_session_on_timer(struct eio_session *s);
bool eio_session_is_overdue(const struct eio_session *s);

/* engineio_polling.c */
void eio_polling_open(struct eio_server *server, const struct eio_request *r, struct eio_exchange *x);
void eio_polling_poll(struct eio_session *s, struct eio_exchange *x);
void eio_polling_announce(struct eio_session *s, struct eio_exchange *x);
void eio_polling_post(struct eio_session *s, const struct eio_request *r, struct eio_exchange *x);
bool eio_polling_push(struct eio_session *s, struct ws_frame *packet);
void eio_polling_flush(struct eio_session *s); /* answers the poll when there is something to say */
void eio_polling_end(struct eio_session *s);   /* the session does not poll any more */
void eio_answer(struct eio_exchange *x, int status, struct str body);

/* engineio_websocket.c */
extern const struct ws_handler eio_websocket_handler;
void eio_websocket_open(struct eio_server *server, const struct eio_request *r, struct ws_session *ws);
void eio_websocket_probe(struct eio_session *s, struct ws_session *ws); /* s: NULL when it has gone meanwhile */
void eio_websocket_detach(struct ws_session *ws);                       /* what comes from it means nothing any more */
