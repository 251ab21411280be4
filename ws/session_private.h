/* What session.c, server.c, queue.c and receive.c share. Nobody else includes this. */
#pragma once

#include "core/buf.h"
#include "ws/session.h"

enum {
    WS_SESSION_MAGIC = 0x77735365,
    WS_IOV_MAX = 64,    /* frames in one write */
    WS_RING_SLOTS = 16, /* of the smallest ring; only these are kept for reuse */
    WS_RINGS_KEPT = 16384,
    WS_RECEIVERS_KEPT = 16,
    WS_DRAIN_SLICE = 500, /* sessions closed a turn */
};

enum {
    WS_NORMAL = 1000,
    WS_GOING_AWAY = 1001,
    WS_PROTOCOL_ERROR = 1002,
    WS_NOT_TEXT = 1003,
    WS_NO_CODE = 1005,
    WS_ABNORMAL = 1006,
    WS_BAD_UTF8 = 1007,
    WS_POLICY = 1008,
    WS_TOO_BIG = 1009,
};

/* --- queue.c: frames that wait, in order; one without any memory, more in a ring -------------- */

struct ws_ring {
    struct ws_ring *next_free;
    uint32_t first, capacity; /* capacity is a power of two */
    struct ws_frame *slots[];
};

struct ws_rings { /* spare ones of the smallest size */
    struct ws_ring *free;
    int kept;
};

struct ws_queue {
    struct ws_frame *one; /* the only frame, while there is no ring */
    struct ws_ring *ring;
    uint32_t count, bytes;
};

void ws_queue_push(struct ws_queue *q, struct ws_rings *rings, struct ws_frame *frame); /* takes the reference */
struct ws_frame *ws_queue_at(const struct ws_queue *q, uint32_t i);
void ws_queue_drop(struct ws_queue *q, struct ws_rings *rings, uint32_t n); /* the first n */
void ws_queue_clear(struct ws_queue *q, struct ws_rings *rings);
/* Leaves of the frames with one key only the newest, standing for all; returns how many frames
 * went. */
uint32_t ws_queue_conflate(struct ws_queue *q);
void ws_rings_fini(struct ws_rings *rings);

/* --- sessions --------------------------------------------------------------------------------- */

/*     OPEN ──ws_session_close, too slow──▶ CLOSING ──the peer's close──▶ ENDING ──all written──▶ ENDED ──▶ on_close
 *       ├────the peer's close, a violation of the protocol────────────▶ ┘                        ▲
 *       └────FIN, error, no pong; in CLOSING the deadline────────────────────────────────────────┘          */
enum ws_state {
    WS_OPEN,
    WS_CLOSING, /* our close frame is queued or sent; only the peer's is still listened for */
    WS_ENDING,  /* nothing is listened to; the connection ends when everything is written */
    WS_ENDED,   /* net_close was called */
};

/* What sending looks at stands together at the beginning: of ten thousand sessions each line of memory that is touched
 * has to be fetched, as in struct net_conn. */
struct ws_session {
    uint32_t magic;
    uint8_t state;
    bool ping_due; /* to be written */
    bool pong_awaited;
    bool head_queued; /* the queue's first member is the 101 head, no frame */
    struct ws_server *server;
    struct net_conn *conn;
    struct ws_queue queue;
    struct ws_frame *pong;        /* answers the newest ping; NULL: answered */
    struct ws_receiver *receiver; /* while a message is incomplete */
    uint32_t pending;             /* bytes in net's hands after our last write; 0 again after on_drain */
    uint32_t counted;             /* this session's part in ws_server.waiting */
    struct list dirty;            /* in the server's list of sessions that have something to write in this turn */
    struct list link;             /* among the server's */
    const struct ws_handler *handler;
    struct wheel_timer timer; /* the earliest of the next two; may be early, then it is set again */
    uint64_t alive_ms;        /* when to ping, when the pong is overdue, when closing is overdue */
    uint64_t deadline_ms;     /* the user's; 0: none */
    uint64_t budget_us;       /* when the messages received so far would have been allowed at an even rate */
    uint16_t close_code, peer_code; /* what we sent and what the peer sent; 0: nothing yet */
    uint64_t extra[];
};
_Static_assert(sizeof(struct ws_session) <= 208, "an idle session must stay small");

struct ws_counters {
    struct metric sessions, waiting, frames, bytes, messages, conflated, slow;
    struct metric closed_normal, closed_violation, closed_abnormal, closed_application;
};

struct ws_server {
    struct ws_options options;
    struct list sessions, dirty;
    struct turn_item flush;
    bool flushed_late; /* the flush has already moved behind the other items of this turn */
    uint64_t gather_until_us; /* no flush before: see server.c */
    uv_timer_t gather;
    bool freed, draining;
    int count;
    int64_t waiting; /* bytes of all sessions */
    struct ws_rings rings;
    struct ws_receiver *receivers; /* idle ones */
    int receivers_kept;
    struct ws_frame *ping;
    struct ws_counters counters;
    uv_timer_t drain_timer;
    int handles; /* the two timers, until their close callbacks */
    int drain_left; /* sessions not yet told */
    uint64_t drain_until_ms;
    void (*drained)(void *arg);
    void *drained_arg;
};

/* session.c */
void ws_session_flush(struct ws_session *s);
void ws_session_end(struct ws_session *s);            /* cuts it off, at once */
void ws_session_fail(struct ws_session *s, int code); /* the peer broke the rules: says so and ends */
void ws_session_slow(struct ws_session *s);
void ws_session_peer_closed(struct ws_session *s, int code, struct str payload);
void ws_session_pong(struct ws_session *s, struct str payload);
void ws_session_text(struct ws_session *s, struct str text);

/* server.c */
void ws_server_mark(struct ws_session *s); /* it has something to write */
void ws_server_add(struct ws_server *server, struct ws_session *s);
void ws_server_gone(struct ws_server *server); /* one of its sessions is */

/* receive.c */
void ws_receive(struct ws_session *s, const uint8_t *data, size_t n);
void ws_receive_later(struct ws_session *s, struct str rest); /* at the end of the turn */
void ws_receive_held(struct ws_session *s);
bool ws_receive_is_overdue(const struct ws_session *s, uint64_t now_ms);
void ws_receive_end(struct ws_session *s); /* gives the receiver back */
void ws_receivers_fini(struct ws_server *server);
