/* The server as a whole: made from its options, opened, drained, freed.
 *
 * Draining: the listeners close, idle connections are closed by conn.c, the others after their last
 * answer; when the last one is gone, or the deadline passes, `drained` is called, once and never
 * from inside http_server_drain. Settling: waits for the handlers that still work for clients that have
 * gone. Freeing: what is left is closed at once, and the memory goes when the loop has reported the last
 * connection closed. */
#include "http/server.h"

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "http/openapi.h"
#include "http/reply.h"
#include "http/server_private.h"

enum { LIMITER_KEYS = 65536, ENDPOINT_LIMITER_KEYS = 8192, UPLOADS_WRITING = 2, UPLOADS_WAITING_MAX = 1000 };

static void on_last_conn(struct http_server *s);
static void on_drain_deadline(struct wheel_timer *t);
static void on_drain_done(struct turn_item *item);
static void on_settled(struct http_server *s);
static void on_settle_deadline(struct wheel_timer *t);
static void on_settle_done(struct turn_item *item);

/* --- making ---------------------------------------------------------------------------------- */

static void use_default(int *ms, int default_ms)
{
    if (*ms == 0) *ms = default_ms;
}

static void take_options(struct http_server *s, const struct http_options *options)
{
    must(options->tables != NULL);
    s->options = *options;
    use_default(&s->options.head_timeout_ms, 10000);
    use_default(&s->options.body_timeout_ms, 30000);
    use_default(&s->options.idle_timeout_ms, 75000);
    use_default(&s->options.write_timeout_ms, 30000);
}

static uint64_t limiter_key(const struct endpoint *e)
{
    return str_hash(str_from(e->id));
}

/* What the tables need of the options must be there; and the limiters of the rows that have one. */
static void read_tables(struct http_server *s)
{
    map_init(&s->limiters);
    for (const struct endpoint *const *t = s->options.tables; *t; t++) {
        for (const struct endpoint *e = *t; e->id; e++) {
            must(!e->auth || s->options.authenticate);
            must(!e->sql || s->options.run_sql);
            must(!e->upload || s->options.upload_dir);
            if (!e->rate_per_minute || map_get(&s->limiters, limiter_key(e))) continue;
            map_set(&s->limiters, limiter_key(e),
                    limiter_new(e->rate_per_minute, e->rate_per_minute, ENDPOINT_LIMITER_KEYS));
        }
    }
}

struct http_server *http_server_new(uv_loop_t *loop, struct turn *turn, struct wheel *wheel, struct metrics *metrics,
                                    const struct http_options *options)
{
    struct http_server *s = mem_new(struct http_server);
    s->loop = loop;
    s->turn = turn;
    s->wheel = wheel;
    s->metrics = metrics;
    take_options(s, options);
    s->router = router_new(s->options.tables);
    read_tables(s);
    cors_init(&s->cors, s->options.cors_origins, s->options.public_url);
    bool https = str_starts_nocase(str_from(s->options.public_url), STR("https:"));
    reply_block_init(&s->block, s->cors.constant, https);
    openapi_build(&s->options, &s->openapi);
    http_file_init(&s->openapi_file, STR("application/json; charset=utf-8"), buf_view(&s->openapi));
    int rate = s->options.rate_per_minute;
    if (rate) s->limiter = limiter_new(rate, rate, LIMITER_KEYS);
    if (s->options.upload_dir) s->uploads = work_queue_new(loop, UPLOADS_WRITING, UPLOADS_WAITING_MAX);
    s->on_last_conn = on_last_conn;
    s->on_settled = on_settled;
    wheel_timer_init(&s->drain_deadline, on_drain_deadline);
    turn_item_init(&s->drain_done, on_drain_done);
    wheel_timer_init(&s->settle_deadline, on_settle_deadline);
    turn_item_init(&s->settle_done, on_settle_done);
    http_conn_setup(s);
    return s;
}

enum err http_server_listen(struct http_server *s, const struct net_listener_options *options, const char **fault)
{
    must(!s->draining && s->listener_count < HTTP_LISTENERS_MAX);
    struct net_listener *l = net_listen(s->loop, options, http_conn_open, s, fault);
    if (!l) return ERR_UNAVAILABLE;
    s->listeners[s->listener_count++] = l;
    return OK;
}

bool http_server_open(struct http_server *s, const char **fault)
{
    for (int i = 0; i < s->listener_count; i++) {
        if (!net_listener_open(s->listeners[i], fault)) return false;
    }
    return true;
}

/* --- asking ----------------------------------------------------------------------------------- */

int http_server_port(const struct http_server *s)
{
    must(s->listener_count > 0);
    return net_listener_port(s->listeners[0]);
}

void *http_context(const struct http_request *req)
{
    return req->server->options.context;
}

bool http_origin_allowed(const struct http_server *s, struct str origin)
{
    return cors_is_allowed(&s->cors, origin);
}

const struct http_file *http_openapi(const struct http_server *s)
{
    return &s->openapi_file;
}

struct limiter *http_endpoint_limiter(const struct http_server *s, const struct endpoint *e)
{
    return e->rate_per_minute ? map_get(&s->limiters, limiter_key(e)) : NULL;
}

/* --- ending ----------------------------------------------------------------------------------- */

static void stop_listening(struct http_server *s)
{
    while (s->listener_count) net_listener_close(s->listeners[--s->listener_count]);
}

void http_server_drain(struct http_server *s, int timeout_ms, void (*drained)(void *arg), void *arg)
{
    must(!s->draining && drained != NULL);
    s->draining = true;
    s->drained = drained;
    s->drained_arg = arg;
    stop_listening(s);
    wheel_set(s->wheel, &s->drain_deadline, (uint64_t) timeout_ms);
    http_conn_drain_all(s);
    http_handover_drain(s);
    if (s->conn_count == 0) turn_defer(s->turn, &s->drain_done);
}

static void on_drain_deadline(struct wheel_timer *t)
{
    struct http_server *s = list_entry(t, struct http_server, drain_deadline);
    http_conn_close_all(s);
    http_handover_cut(s);
    on_drain_done(&s->drain_done);
}

static void on_drain_done(struct turn_item *item)
{
    struct http_server *s = list_entry(item, struct http_server, drain_done);
    void (*drained)(void *arg) = s->drained;
    wheel_cancel(&s->drain_deadline);
    s->drained = NULL;
    if (drained) drained(s->drained_arg);
}

void http_server_settle(struct http_server *s, int timeout_ms, void (*settled)(void *arg), void *arg)
{
    must(!s->settled && settled != NULL);
    s->settled = settled;
    s->settled_arg = arg;
    if (s->requests_under_way == 0) turn_defer(s->turn, &s->settle_done);
    else wheel_set(s->wheel, &s->settle_deadline, (uint64_t) timeout_ms);
}

/* From conn.c: the last request under way is answered. */
static void on_settled(struct http_server *s)
{
    if (s->settled) turn_defer(s->turn, &s->settle_done);
}

static void on_settle_deadline(struct wheel_timer *t)
{
    struct http_server *s = list_entry(t, struct http_server, settle_deadline);
    list_each(&s->orphans, it) {
        const struct http_request *req = list_entry(it, struct http_request, link);
        log_error("http", "handler_stuck", "req=%.*s endpoint=%s", STR_FMT(req->id),
                  req->endpoint ? req->endpoint->id : "-");
    }
    on_settle_done(&s->settle_done);
}

static void on_settle_done(struct turn_item *item)
{
    struct http_server *s = list_entry(item, struct http_server, settle_done);
    void (*settled)(void *arg) = s->settled;
    wheel_cancel(&s->settle_deadline);
    s->settled = NULL;
    if (settled) settled(s->settled_arg);
}

static void destroy(struct http_server *s)
{
    /* A handler is stuck: leaving the memory to it is safer than taking it away from under it. */
    if (!list_empty(&s->orphans)) return;
    struct limiter *l;
    http_conn_teardown(s);
    http_handover_free(s);
    for (size_t i = 0; (l = map_next(&s->limiters, &i));) limiter_free(l);
    map_fini(&s->limiters);
    limiter_free(s->limiter);
    router_free(s->router);
    cors_fini(&s->cors);
    buf_fini(&s->block);
    http_file_fini(&s->openapi_file);
    buf_fini(&s->openapi);
    mem_free(s);
}

/* From conn.c, whose own work on the connection is done. */
static void on_last_conn(struct http_server *s)
{
    if (s->freeing) destroy(s);
    else if (s->draining) turn_defer(s->turn, &s->drain_done);
}

void http_server_free(struct http_server *s)
{
    if (!s) return;
    must(!s->freeing);
    s->freeing = true;
    s->drained = s->settled = NULL;
    wheel_cancel(&s->drain_deadline);
    wheel_cancel(&s->settle_deadline);
    turn_cancel(&s->drain_done);
    turn_cancel(&s->settle_done);
    stop_listening(s);
    http_handover_close(s);
    if (s->uploads) work_queue_close(s->uploads);
    s->uploads = NULL;
    if (s->conn_count == 0) destroy(s);
    else http_conn_close_all(s);
}
