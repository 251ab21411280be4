/* One HTTP connection, for conn.c, conn_input.c and conn_deadline.c. */
#pragma once

#include "http/arrival.h"
#include "http/stream.h"

enum {
    HTTP_CONN_MAGIC = 0x68636f31,
    HTTP_PENDING_MAX = 256 << 10,        /* of answers that wait; beyond it no further request is read */
    HTTP_REST_MAX = 256 << 10,           /* input kept while not reading; the net layer hands over less than this */
    HTTP_BODY_STEP_BYTES = 16384,        /* of a body must arrive in each body_timeout */
    HTTP_DRAIN_GRACE_MS = 300,
};

enum conn_timer { TIMER_NONE, TIMER_IDLE, TIMER_HEAD, TIMER_BODY, TIMER_WRITE };

struct http_conn {
    uint32_t magic;
    struct http_server *server;
    struct net_conn *net;                /* NULL: handed over or gone */
    struct list link;                    /* in the server's conns */

    struct list requests;                /* in order of arrival, until their answers are sent */
    int request_count;
    struct http_request *reading;        /* the last one, when its body is still to come */
    struct http_request *held;           /* the last one, an upgrade that waits for the answers before it */
    struct http_crossing *crossing;      /* the last one is being handed over to another process */

    struct http_stream stream;
    const uint8_t *in, *in_end;          /* input being read just now */
    struct buf rest;                     /* input that has to wait */

    struct wheel_timer timer;
    enum conn_timer timer_mode;
    uint64_t progress;                   /* of the body or of writing, when the timer was set */
    uint64_t written;                    /* bytes given to the net layer */
    size_t unsent;                       /* bytes of answers that have not been given to it yet */
    struct turn_item flush;

    bool busy;                           /* inside our own code: do not free */
    bool eof;                            /* the peer will not send any more */
    bool last;                           /* no further request is read */
    bool adopted;                        /* came by another process, and its first request has not come yet */
    bool want_continue;                  /* a 100 is owed as soon as the answers before it are sent */
    uint8_t peer_n;
    char peer[NET_ADDRESS_BYTES];
};

/* conn.c: after anything that happened to the connection: what follows from its state. May free it. */
void http_conn_settle(struct http_conn *conn);

/* A connection that another process has passed on, and what that has read of it. */
void http_conn_adopt(struct http_server *s, struct net_conn *net, struct str bytes);
/* The connection leaves the server, with this request, its only one; *rest (the caller's from then on) is what was read
 * behind it. NULL when the client has gone. Without an access line: somebody else answers. */
struct net_conn *http_conn_leave(struct http_request *req, struct buf *rest);
void http_conn_uncount(struct http_server *s);        /* one connection less; the last one frees or ends the draining */

/* handover.c */
void http_crossing_start(struct http_conn *conn);     /* once it is the only one and nothing waits to be written */
void http_crossing_lost(struct http_crossing *x);     /* the connection has gone first */

/* conn_deadline.c */
void http_conn_on_timer(struct wheel_timer *t);
void http_conn_rearm(struct http_conn *conn);         /* for what the connection owes now */

/* conn_input.c: reads requests out of in..in_end as far as they may be read. */
void http_conn_input(struct http_conn *conn);
void http_conn_refuse(struct http_conn *conn, int status, const char *why);
/* Dispatches the held request when its turn has come. */
void http_conn_release_held(struct http_conn *conn);
bool http_conn_may_read(const struct http_conn *conn);
static inline struct str http_conn_peer(const struct http_conn *conn)
{
    return (struct str){ conn->peer, conn->peer_n };
}
