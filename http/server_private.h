/* What the files of http/ share about the server. Nobody outside http/ includes this.
 *
 * Who owns what: server.c owns the struct, the listeners and `draining`; conn.c owns the lists of
 * connections and requests and keeps the counters true; dispatch.c reads the options and the gates. */
#pragma once

#include "core/clock.h"
#include "core/limiter.h"
#include "core/metrics.h"
#include "core/net.h"
#include "core/map.h"
#include "core/work.h"
#include "http/conn.h"
#include "http/cors.h"
#include "http/router.h"
#include "http/server.h"

enum {
    HTTP_LISTENERS_MAX = 8,
    HTTP_PIPELINE_MAX = 64,             /* requests under way on one connection; then it is not read */
    HTTP_DISCARD_BYTES_MAX = 65536,     /* of a refused request's body, read for nothing to keep the connection */
    HTTP_TARGET_BYTES_MAX = 8192,
    HTTP_ID_PREFIX_BYTES = 8,
    HTTP_REQUEST_MAGIC = 0x72657131,
};

struct http_server {
    uv_loop_t *loop;
    struct turn *turn;
    struct wheel *wheel;
    struct metrics *metrics;
    struct http_options options;        /* a copy; timeouts of 0 are replaced by their defaults */

    struct net_listener *listeners[HTTP_LISTENERS_MAX];
    int listener_count;

    /* conn.c */
    struct list conns;                  /* open HTTP connections; upgraded ones have left */
    int conn_count;
    struct list orphans;                /* requests whose client has gone and whose handler still works */
    struct list finished;               /* requests to be freed at the end of this turn */
    struct turn_item reap;
    struct http_handover *handover;     /* NULL: the only process of its host */
    int requests_under_way;             /* dispatched and not answered yet, orphans included */
    char id_prefix[HTTP_ID_PREFIX_BYTES];
    uint32_t id_counter;

    /* dispatch.c, server.c */
    struct work_queue *uploads;         /* writes of files that come in; NULL without upload_dir */
    struct limiter *limiter;            /* the general one, NULL when off */
    bool draining;                      /* answers say Connection: close */
    void (*on_last_conn)(struct http_server *s);   /* conn_count has become 0; may be NULL */
    void (*on_settled)(struct http_server *s);     /* requests_under_way has become 0; may be NULL */

    char date[CLOCK_HTTP_BYTES];        /* the Date header of date_s */
    int64_t date_s;

    struct metric requests_total, connections, duration;

    /* Made once by server.c, read by dispatch.c and reply.c. */
    struct router *router;
    struct cors cors;
    struct buf block;                   /* the header lines of every answer, see reply.c */
    struct buf openapi;
    struct http_file openapi_file;      /* of these bytes */
    struct map limiters;                /* of endpoints with a rate of their own, by the id's hash */

    struct wheel_timer drain_deadline;
    struct turn_item drain_done;
    void (*drained)(void *arg);         /* NULL: not draining, or told already */
    void *drained_arg;
    struct wheel_timer settle_deadline;
    struct turn_item settle_done;
    void (*settled)(void *arg);         /* NULL: nobody waits for the handlers */
    void *settled_arg;
    bool freeing;                       /* http_server_free waits for the last connection */
};

/* --- conn.c, for server.c ------------------------------------------------------------------- */

/* Sets up the members of conn.c; before the first connection. */
void http_conn_setup(struct http_server *s);
/* After the last connection and orphan: must be empty. */
void http_conn_teardown(struct http_server *s);
/* The on_conn of net_listen; arg is the struct http_server. */
void http_conn_open(void *arg, struct net_conn *net);
/* draining has been set: idle connections close now, the others after their last answer. */
void http_conn_drain_all(struct http_server *s);
/* Closes all at once; their requests become orphans. on_close comes later, from the loop. */
void http_conn_close_all(struct http_server *s);

/* --- handover.c, for server.c: each does nothing in a process that is alone ------------------------------------ */

void http_handover_drain(struct http_server *s);   /* relays end as soon as what is under way is answered */
void http_handover_cut(struct http_server *s);     /* relays end at once */
/* Nothing is passed or taken any more; what is under way is answered here. */
void http_handover_close(struct http_server *s);
void http_handover_free(struct http_server *s);

/* --- server.c, for dispatch.c ---------------------------------------------------------------- */

/* The endpoint's own limiter; NULL when it has no rate of its own. Aliases share it. */
struct limiter *http_endpoint_limiter(const struct http_server *s, const struct endpoint *e);

/* --- rules between conn.c, dispatch.c and reply.c --------------------------------------------
 * reply.c writes "Connection: close" when !req->keep_alive || req->server->draining.
 * http_route calls http_refuse_body(req, content_length) before it makes a refusing reply: a body too long
 * to be read for nothing ends the connection, and the answer must say so. content_length is -1 for chunked.
 * An answered request stays valid until the end of the turn. conn.c counts requests_under_way. */
static inline void http_refuse_body(struct http_request *req, int64_t content_length)
{
    if (content_length < 0 || content_length > HTTP_DISCARD_BYTES_MAX) req->keep_alive = false;
}
