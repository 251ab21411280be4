/* Engine.IO 4: sessions of text packets over long polling, over a WebSocket, or over the first and then the second.
 *
 * A session begins with a handshake by GET (polling) or by a WebSocket upgrade. One that polls may try a WebSocket
 * beside it: the probe ("2probe", answered "3probe"; polls that wait are answered with a noop) and then the change
 * ("5"), after which what waited leaves through the WebSocket and nothing else is taken for polling.
 *
 *     POLLING ──upgrade with its sid──▶ POLLING + probe ──"5"──▶ WEBSOCKET
 *        ▲                                  │
 *        └──── anything else, 10 s ─────────┘
 *
 * The server pings ("2") every ping_interval, counted from the last pong; a peer that has not ponged ("3") within
 * ping_timeout is gone. There is one timer a session, in the wheel. A second poll, or a second post, while one is under
 * way closes the session (transport error), as does a poll whose client goes away.
 *
 * Bounds: sessions_max; a post has payload_max bytes, a WebSocket message message_max; what waits for a peer that does
 * not poll or read has queue_bytes, then the session ends (too slow); more than messages_per_second for long ends it.
 * Text only: binary packets are a parse error. Nothing here knows HTTP's server: a door hands requests over as
 * struct eio_request and struct eio_exchange, and accepts upgrades. */
#pragma once

#include "ws/outlet.h"
#include "ws/session.h"

struct eio_server;
struct eio_session;

enum { EIO_PREFIX_MAX = 8, EIO_RANDOM_CHARS = 24, EIO_SID_MAX = EIO_PREFIX_MAX + EIO_RANDOM_CHARS };

/* Why a session has ended. */
enum eio_reason {
    EIO_PEER_CLOSED,     /* a close packet, or its WebSocket's end */
    EIO_TRANSPORT_ERROR, /* overlapping requests, a poll abandoned by its client */
    EIO_PING_TIMEOUT,
    EIO_PARSE_ERROR, /* what came was no packet, or a binary one */
    EIO_TOO_SLOW,    /* queue_bytes were reached */
    EIO_TOO_MANY,    /* messages_per_second were exceeded for long */
    EIO_FORCED,      /* eio_session_close */
    EIO_GOING_AWAY,  /* eio_server_drain */
};
const char *eio_reason_text(enum eio_reason why); /* as the protocol's reference names it: "transport close", … */

struct eio_handler {
    /* A session has begun; its extra is zeroed. The handshake packet is queued ahead of whatever is sent from here. */
    void (*on_open)(struct eio_session *s);
    /* A message packet without its type; valid UTF-8, a view, valid during the call. */
    void (*on_message)(struct eio_session *s, struct str text);
    /* Comes once, last, never from inside a call of ours but eio_server_free; the session is gone afterwards. */
    void (*on_close)(struct eio_session *s, enum eio_reason why);
    /* A ping is about to leave: the moment to look after what needs no timer of its own. May be NULL. */
    void (*on_ping)(struct eio_session *s);
};

struct eio_options {
    uv_loop_t *loop;
    struct turn *turn;
    struct wheel *wheel;
    struct metrics *metrics; /* or NULL; metrics_fini comes before eio_server_free */
    const struct eio_handler *handler;
    void *context;                         /* the owner's, see eio_server_context */
    const char *sid_prefix;                /* begins every sid: at most EIO_PREFIX_MAX URL-safe characters, or NULL */
    int ping_interval_ms, ping_timeout_ms; /* 0: 25,000 and 20,000 */
    int upgrade_timeout_ms, close_timeout_ms; /* 0: 10,000 and 5,000 */
    int payload_max;                          /* of a post, as announced; 0: 1,000,000 */
    int message_max;                          /* of a WebSocket message; 0: 64 KiB */
    int queue_bytes;                          /* 0: 256 KiB */
    int sessions_max;                         /* beyond it handshakes are refused with 503; 0: 100,000 */
    int messages_per_second;                  /* 0: no limit */
    int slow_code;                            /* close code of a WebSocket that does not read; 0: 4408 */
    int extra_bytes;                          /* of the owner's own, behind each session, zeroed, aligned to 8 bytes */
};

struct eio_server *eio_server_new(const struct eio_options *options);
/* Ends all sessions: polls are answered with a close packet, WebSockets closed with 1001; handshakes are refused from
 * now on. `drained` comes once, when the last connection has gone or after timeout_ms. */
void eio_server_drain(struct eio_server *server, int timeout_ms, void (*drained)(void *arg), void *arg);
/* Cuts off what is left; sessions get their on_close during the call. Before the HTTP server is freed. */
void eio_server_free(struct eio_server *server);
int eio_server_count(const struct eio_server *server);
void *eio_server_context(const struct eio_server *server);

/* --- the door ----------------------------------------------------------------------------------------------------- */

enum eio_method { EIO_GET, EIO_POST, EIO_OTHER };

/* What a request to the endpoint says; views, valid during the call. */
struct eio_request {
    enum eio_method method;
    struct str version, transport, sid; /* the query's EIO, transport and sid; STR_NONE when absent */
    bool is_binary;                     /* Content-Type: application/octet-stream */
    struct str body;
    /* Of a handshake: what the owner wants to know of its request later, see eio_session_opening; or STR_NONE. */
    struct str opening;
};

/* A plain HTTP exchange. The door makes it and fills in `answer`; it stays valid until that was called, which happens
 * exactly once: during eio_serve or later. The body of `size` bytes is written by fill(arg, to) during the call.
 * status 200 carries text/plain, any other application/json (or nothing, size 0). */
struct eio_exchange {
    void (*answer)(struct eio_exchange *x, int status, size_t size, void (*fill)(void *arg, char *to), void *arg);
    struct eio_session *session; /* whose pending poll or post it is, or NULL */
};

/* Takes a request that is no upgrade: handshake, poll or post, and whatever is wrong with it. */
void eio_serve(struct eio_server *server, const struct eio_request *r, struct eio_exchange *x);
/* The head of a post has come, its body has not: a second one meanwhile closes the session. eio_serve follows with the
 * same exchange, unless eio_abandoned comes first. Optional. */
void eio_announce(struct eio_server *server, const struct eio_request *r, struct eio_exchange *x);
/* The client of an exchange has gone: its session ends (transport error). A poll is answered in the call, as is due
 * once; of an announced post nothing more comes. */
void eio_abandoned(struct eio_exchange *x);

/* The protocol's errors: 400 with {"code":…,"message":…}; EIO_FULL is 503. */
enum eio_fault {
    EIO_UNKNOWN_TRANSPORT,
    EIO_UNKNOWN_SID,
    EIO_BAD_METHOD,
    EIO_BAD_REQUEST,
    EIO_FORBIDDEN,
    EIO_UNSUPPORTED_VERSION,
    EIO_FULL,
    EIO_FAULT_NONE,
};
struct str eio_fault_body(enum eio_fault fault);
int eio_fault_status(enum eio_fault fault);
/* Whether a request for a WebSocket may be answered with 101. */
enum eio_fault eio_check_upgrade(struct eio_server *server, const struct eio_request *r);
/* It may (asked in the same turn): begins a session, or tries the WebSocket for the one it names. Takes the connection
 * as ws_session_open does, with its 101 head in `head`. */
void eio_upgrade(struct eio_server *server, const struct eio_request *r, struct net_conn *c, struct str head,
                 struct str rest);
/* The prefix of a sid, of whatever server with a prefix of as many characters; STR_NONE when it cannot be a sid. */
struct str eio_sid_prefix(const struct eio_server *server, struct str sid);

/* --- sessions ----------------------------------------------------------------------------------------------------- */

void *eio_session_extra(struct eio_session *s);
struct eio_server *eio_session_server(const struct eio_session *s);
struct str eio_session_sid(const struct eio_session *s);
struct str eio_session_opening(const struct eio_session *s); /* the handshake's; STR_NONE: none, or forgotten */
void eio_session_forget_opening(struct eio_session *s);
bool eio_session_is_websocket(const struct eio_session *s);
bool eio_session_is_closing(const struct eio_session *s);

/* Queues a whole packet for the end of this turn: a text frame whose payload begins with the packet's type ('4' for a
 * message). The same frame can be sent to any number of sessions over either transport: a WebSocket gets its bytes, a
 * poll its payload. Its key must be 0 (packets are not conflated). Takes a reference of its own; false when the session
 * is closing. */
bool eio_session_send(struct eio_session *s, struct ws_frame *packet);
struct ws_outlet eio_session_outlet(struct eio_session *s); /* the same for a hub */
size_t eio_session_waiting(const struct eio_session *s);    /* bytes not yet polled for or taken by the kernel */
/* What waits is still sent (a peer that polls has close_timeout to fetch it), then the peer is told. */
void eio_session_close(struct eio_session *s, enum eio_reason why);
