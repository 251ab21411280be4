/* A WebSocket connection after its upgrade. Cheap when idle: no buffers, no parser; wslay's
 * context is borrowed from a small pool only while a message is being received. What one turn of
 * the loop has for a session leaves in one write.
 *
 * Backpressure: frames wait in the session's queue while the kernel does not take more. Beyond
 * ws_options.queue_bytes waiting frames with the same conflation key are replaced by the newest;
 * if that is not enough the session is closed with ws_options.slow_code, and nobody else notices. */
#pragma once

#include "core/metrics.h"
#include "core/net.h"
#include "core/turn.h"
#include "core/wheel.h"
#include "ws/outlet.h"

struct ws_session;

struct ws_handler {
    /* A whole text message (valid UTF-8) of at most message_max bytes; a view, valid during the
     * call. Binary messages are answered with close 1003 before they come here. */
    void (*on_text)(struct ws_session *s, struct str text);
    /* Comes once, last, never from inside a call of ours; the session is gone afterwards. `code`
     * is what the peer sent (1005: a close without a code), or 1006. */
    void (*on_close)(struct ws_session *s, int code);
    /* The deadline set by ws_session_deadline has come. May be NULL. */
    void (*on_deadline)(struct ws_session *s);
};

struct ws_options {
    uv_loop_t *loop;
    struct turn *turn;
    struct wheel *wheel;
    struct metrics *metrics;               /* or NULL; metrics_fini comes before ws_server_free */
    int ping_interval_ms, pong_timeout_ms; /* 25,000 and 20,000 */
    int close_timeout_ms;                  /* how long the peer may take to answer a close; 0: 5,000 */
    int message_max;                       /* 64 KiB */
    int message_timeout_ms;                /* for a whole message, looked at once a ping interval; 0: 20,000 */
    int queue_bytes;                       /* 256 KiB */
    int64_t queue_bytes_total;             /* of all sessions, then the fullest are closed; 0: 256 MiB */
    int slow_code;                         /* 4408 */
    int extra_bytes;                       /* of the user's own, behind each session, zeroed, aligned to 8 bytes */
    int messages_per_second;               /* a client that sends more for long is closed with 1008; 0: no limit */
};

struct ws_server; /* the sessions of one process, their pool and queue budget */

struct ws_server *ws_server_new(const struct ws_options *options);
int ws_server_count(const struct ws_server *s);
/* Closes all with 1001, some hundred a turn; `drained` comes once when the last is gone, or after
 * timeout_ms, when those that are left are cut off. New ones are closed with 1001 as well. */
void ws_server_drain(struct ws_server *s, int timeout_ms, void (*drained)(void *arg), void *arg);
/* Cuts off the sessions that are left; they still get their on_close. Needs the loop to run once
 * more. */
void ws_server_free(struct ws_server *s);
/* for (s = NULL; (s = ws_server_next(server, s));) visits all; closing the visited one is allowed. */
struct ws_session *ws_server_next(const struct ws_server *server, struct ws_session *after);

/* The answer to an upgrade request: Sec-WebSocket-Accept and the 101 head, ready to be written.
 * `key` is Sec-WebSocket-Key; ERR_INVALID unless it is 16 bytes of base64. `protocol` may be
 * STR_NONE, else it must be one the client offered. `headers` are complete lines for the 101, or
 * STR_NONE. */
enum err ws_accept_head(struct str key, struct str protocol, struct str headers, struct buf *out);

/* Takes the connection (already upgraded, `head` not yet written) and writes the head, together
 * with what is sent in this turn. `rest` are bytes received behind the request; they are looked at
 * at the end of the turn. Never NULL. */
struct ws_session *ws_session_open(struct ws_server *server, struct net_conn *c, const struct ws_handler *handler,
                                   struct str head, struct str rest);
void *ws_session_extra(struct ws_session *s);

/* Queues a frame for the end of this turn; takes a reference of its own. Nothing happens when the
 * session is closing. */
void ws_session_send(struct ws_session *s, struct ws_frame *frame);
/* The same for a hub. */
struct ws_outlet ws_session_outlet(struct ws_session *s);
/* A text that only this session gets. */
void ws_session_send_text(struct ws_session *s, struct str text);
/* Sends a close frame behind what waits, and ends the connection when the peer has answered or
 * after 5 s. */
void ws_session_close(struct ws_session *s, int code, struct str reason);
bool ws_session_is_closing(const struct ws_session *s);
void ws_session_deadline(struct ws_session *s, uint64_t after_ms); /* one a session; 0 clears it */
size_t ws_session_waiting(const struct ws_session *s);             /* bytes not yet taken by the kernel */
