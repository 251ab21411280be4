/* All Engine.IO sessions of one process: which request may do what, their ids, what is to be done when a turn ends, and
 * the end of them all.
 *
 * The WebSockets stand in a ws_server of their own. Its pings are only a net below the protocol's: they would come when
 * nothing at all was received for as long as a peer may take to answer ours. */
#include <string.h>

#include "core/clock.h"
#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/engineio_private.h"

enum { DEFAULT_TOTAL = 256 << 20 };

static void on_flush(struct turn_item *item);

/* --- metrics ------------------------------------------------------------------------------------------------------ */

static int64_t read_polling(void *arg)
{
    const struct eio_server *server = arg;
    return server->count - server->websockets;
}

static int64_t read_websockets(void *arg)
{
    return ((const struct eio_server *) arg)->websockets;
}

static int64_t read_waiting(void *arg)
{
    return ((const struct eio_server *) arg)->waiting;
}

static void add_metrics(struct eio_server *server, struct metrics *to)
{
    static const char sessions[] = "tally_engineio_sessions", sessions_help[] = "Open Engine.IO sessions.";
    static const char *const labels[] = {
        [EIO_PEER_CLOSED] = "reason=\"peer_closed\"",
        [EIO_TRANSPORT_ERROR] = "reason=\"transport_error\"",
        [EIO_PING_TIMEOUT] = "reason=\"ping_timeout\"",
        [EIO_PARSE_ERROR] = "reason=\"parse_error\"",
        [EIO_TOO_SLOW] = "reason=\"too_slow\"",
        [EIO_TOO_MANY] = "reason=\"too_many\"",
        [EIO_FORCED] = "reason=\"forced\"",
        [EIO_GOING_AWAY] = "reason=\"going_away\"",
    };
    struct eio_counters *c = &server->counters;
    c->polling = (struct metric){ .name = sessions,
                                  .labels = "transport=\"polling\"",
                                  .help = sessions_help,
                                  .type = METRIC_GAUGE,
                                  .read = read_polling,
                                  .arg = server };
    c->websocket = (struct metric){ .name = sessions,
                                    .labels = "transport=\"websocket\"",
                                    .help = sessions_help,
                                    .type = METRIC_GAUGE,
                                    .read = read_websockets,
                                    .arg = server };
    c->waiting = (struct metric){ .name = "tally_engineio_waiting_bytes",
                                  .help = "Bytes that wait to be polled for.",
                                  .type = METRIC_GAUGE,
                                  .read = read_waiting,
                                  .arg = server };
    c->upgrades = (struct metric){ .name = "tally_engineio_upgrades_total",
                                   .help = "Sessions that went over from polling to a WebSocket.",
                                   .type = METRIC_COUNTER };
    c->messages = (struct metric){ .name = "tally_engineio_messages_total",
                                   .help = "Message packets received.",
                                   .type = METRIC_COUNTER };
    struct metric *all[] = { &c->polling, &c->websocket, &c->waiting, &c->upgrades, &c->messages };
    for (size_t i = 0; to && i < sizeof all / sizeof *all; i++) metrics_add(to, all[i]);
    for (int i = 0; i <= EIO_GOING_AWAY; i++) {
        c->closed[i] = (struct metric){ .name = "tally_engineio_closed_total",
                                        .labels = labels[i],
                                        .help = "Sessions that have ended, by reason.",
                                        .type = METRIC_COUNTER };
        if (to) metrics_add(to, &c->closed[i]);
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void use_default(int *value, int initial)
{
    must(*value >= 0);
    if (*value == 0) *value = initial;
}

static void take_options(struct eio_server *server, const struct eio_options *options)
{
    struct eio_options *o = &server->options;
    must(options->loop && options->turn && options->wheel && options->extra_bytes >= 0);
    must(options->handler && options->handler->on_open && options->handler->on_message && options->handler->on_close);
    *o = *options;
    use_default(&o->ping_interval_ms, 25000);
    use_default(&o->ping_timeout_ms, 20000);
    use_default(&o->upgrade_timeout_ms, 10000);
    use_default(&o->close_timeout_ms, 5000);
    use_default(&o->payload_max, 1000000);
    use_default(&o->message_max, 64 << 10);
    use_default(&o->queue_bytes, 256 << 10);
    use_default(&o->sessions_max, 100000);
    use_default(&o->slow_code, 4408);
    server->prefix_n = str_from(o->sid_prefix).n;
    must(server->prefix_n <= EIO_PREFIX_MAX);
    if (server->prefix_n) memcpy(server->prefix, o->sid_prefix, server->prefix_n);
    o->sid_prefix = NULL; /* the caller's memory */
}

static struct ws_server *make_websockets(const struct eio_options *o)
{
    struct ws_options options = {
        .loop = o->loop,
        .turn = o->turn,
        .wheel = o->wheel,
        .ping_interval_ms = o->ping_interval_ms + o->ping_timeout_ms,
        .pong_timeout_ms = o->ping_timeout_ms,
        .close_timeout_ms = o->close_timeout_ms,
        .message_max = o->message_max,
        .queue_bytes = o->queue_bytes,
        .slow_code = o->slow_code,
        .extra_bytes = sizeof(struct eio_session *),
    };
    return ws_server_new(&options);
}

struct eio_server *eio_server_new(const struct eio_options *options)
{
    struct eio_server *server = mem_new(struct eio_server);
    take_options(server, options);
    map_init(&server->by_sid);
    list_init(&server->sessions);
    list_init(&server->dirty);
    turn_item_init(&server->flush, on_flush);
    server->ws = make_websockets(&server->options);
    server->ping = ws_frame_new(WS_TEXT, STR("2"));
    server->close = ws_frame_new(WS_TEXT, STR("1"));
    server->noop = ws_frame_new(WS_TEXT, STR("6"));
    add_metrics(server, options->metrics);
    return server;
}

void eio_server_drain(struct eio_server *server, int timeout_ms, void (*drained)(void *arg), void *arg)
{
    server->draining = true;
    list_each(&server->sessions, it)
    {
        struct eio_session *s = list_entry(it, struct eio_session, link);
        if (s->polling) eio_session_end(s, EIO_GOING_AWAY);
    }
    ws_server_drain(server->ws, timeout_ms, drained, arg);
}

void eio_server_free(struct eio_server *server)
{
    list_each(&server->sessions, it) eio_session_end(list_entry(it, struct eio_session, link), EIO_GOING_AWAY);
    on_flush(&server->flush);
    must(server->count == 0 && server->waiting == 0);
    turn_cancel(&server->flush);
    ws_server_free(server->ws);
    ws_frame_unref(server->ping);
    ws_frame_unref(server->close);
    ws_frame_unref(server->noop);
    ws_rings_fini(&server->rings);
    map_fini(&server->by_sid);
    mem_free(server);
}

int eio_server_count(const struct eio_server *server)
{
    return server->count;
}

void *eio_server_context(const struct eio_server *server)
{
    return server->options.context;
}

/* --- the end of a turn -------------------------------------------------------------------------------------------- */

void eio_server_mark(struct eio_session *s)
{
    if (!list_empty(&s->dirty)) return;
    list_append(&s->server->dirty, &s->dirty);
    turn_defer(s->server->options.turn, &s->server->flush);
}

static void tell(struct eio_session *s)
{
    if (s->told || s->state == EIO_IS_OPEN) return;
    s->told = true;
    s->server->counters.closed[s->why].value++;
    s->server->options.handler->on_close(s, (enum eio_reason) s->why);
}

static void on_flush(struct turn_item *item)
{
    struct eio_server *server = list_entry(item, struct eio_server, flush);
    struct list *link;
    while ((link = list_shift(&server->dirty))) {
        struct eio_session *s = list_entry(link, struct eio_session, dirty);
        must(s->magic == EIO_MAGIC);
        if (s->polling) eio_polling_flush(s);
        tell(s);
        if (s->state == EIO_HAS_ENDED) eio_session_free(s);
    }
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

static uint64_t sid_key(struct str sid)
{
    return str_hash(sid);
}

/* The random part is 144 bits, of which the map's key is a hash: two sessions that meet there are told apart by trying
 * again. */
void eio_server_add(struct eio_session *s)
{
    struct eio_server *server = s->server;
    uint8_t random[EIO_RANDOM_CHARS / 4 * 3];
    s->sid_n = (uint8_t) (server->prefix_n + EIO_RANDOM_CHARS);
    if (server->prefix_n) memcpy(s->sid, server->prefix, server->prefix_n);
    do {
        random_bytes(random, sizeof random);
        base64url_write(s->sid + server->prefix_n, (struct str){ (const char *) random, sizeof random });
    } while (map_get(&server->by_sid, sid_key(eio_session_sid(s))));
    map_set(&server->by_sid, sid_key(eio_session_sid(s)), s);
    list_append(&server->sessions, &s->link);
    server->count++;
}

void eio_server_forget(struct eio_session *s)
{
    must(map_remove(&s->server->by_sid, sid_key(eio_session_sid(s))) == s);
}

static struct eio_session *find(struct eio_server *server, struct str sid)
{
    struct eio_session *s = map_get(&server->by_sid, sid_key(sid));
    if (!s || !secret_equal(eio_session_sid(s), sid)) return NULL;
    if (!eio_session_is_overdue(s)) return s;
    eio_session_on_timer(s);
    return s->state == EIO_HAS_ENDED ? NULL : s;
}

struct str eio_sid_prefix(const struct eio_server *server, struct str sid)
{
    if (sid.n != server->prefix_n + EIO_RANDOM_CHARS) return STR_NONE;
    return (struct str){ sid.p, server->prefix_n };
}

void eio_server_handshake(const struct eio_session *s, struct buf *out)
{
    const struct eio_options *o = &s->server->options;
    buf_cstr(out, "0{\"sid\":\"");
    buf_str(out, eio_session_sid(s));
    buf_printf(out, "\",\"upgrades\":[%s],\"pingInterval\":%d,\"pingTimeout\":%d,\"maxPayload\":%d}",
               s->polling ? "\"websocket\"" : "", o->ping_interval_ms, o->ping_timeout_ms, o->payload_max);
    must(!out->failed);
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

struct str eio_fault_body(enum eio_fault fault)
{
    switch (fault) {
    case EIO_UNKNOWN_TRANSPORT: return STR("{\"code\":0,\"message\":\"Transport unknown\"}");
    case EIO_UNKNOWN_SID: return STR("{\"code\":1,\"message\":\"Session ID unknown\"}");
    case EIO_BAD_METHOD: return STR("{\"code\":2,\"message\":\"Bad handshake method\"}");
    case EIO_BAD_REQUEST: return STR("{\"code\":3,\"message\":\"Bad request\"}");
    case EIO_FORBIDDEN: return STR("{\"code\":4,\"message\":\"Forbidden\"}");
    case EIO_UNSUPPORTED_VERSION: return STR("{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    case EIO_FULL: return STR("{\"code\":4,\"message\":\"Too many sessions, try again later\"}");
    case EIO_FAULT_NONE: break;
    }
    return STR_NONE;
}

int eio_fault_status(enum eio_fault fault)
{
    return fault == EIO_FULL ? 503 : fault == EIO_FORBIDDEN ? 403 : 400;
}

static enum eio_fault judge_handshake(const struct eio_server *server, const struct eio_request *r, bool same_kind)
{
    if (r->method != EIO_GET) return EIO_BAD_METHOD;
    if (!same_kind) return EIO_BAD_REQUEST;
    if (!str_eq(r->version, STR("4"))) return EIO_UNSUPPORTED_VERSION;
    return server->draining || server->count >= server->options.sessions_max ? EIO_FULL : EIO_FAULT_NONE;
}

/* *s is the session that is meant; NULL: a handshake. */
static enum eio_fault judge(struct eio_server *server, const struct eio_request *r, bool upgrade,
                            struct eio_session **s)
{
    bool websocket = str_eq(r->transport, STR("websocket"));
    *s = NULL;
    if (!websocket && !str_eq(r->transport, STR("polling"))) return EIO_UNKNOWN_TRANSPORT;
    if (r->sid.n == 0) return judge_handshake(server, r, websocket == upgrade);
    if (!(*s = find(server, r->sid))) return EIO_UNKNOWN_SID;
    if (websocket != upgrade || (!upgrade && !(*s)->polling)) return EIO_BAD_REQUEST;
    return EIO_FAULT_NONE;
}

enum eio_fault eio_check_upgrade(struct eio_server *server, const struct eio_request *r)
{
    struct eio_session *s;
    return judge(server, r, true, &s);
}

void eio_announce(struct eio_server *server, const struct eio_request *r, struct eio_exchange *x)
{
    struct eio_session *s;
    if (r->sid.n && judge(server, r, false, &s) == EIO_FAULT_NONE) eio_polling_announce(s, x);
}

void eio_serve(struct eio_server *server, const struct eio_request *r, struct eio_exchange *x)
{
    struct eio_session *s;
    enum eio_fault fault = judge(server, r, false, &s);
    if (fault != EIO_FAULT_NONE) eio_answer(x, eio_fault_status(fault), eio_fault_body(fault));
    else if (!s) eio_polling_open(server, r, x);
    else if (r->method == EIO_GET) eio_polling_poll(s, x);
    else if (r->method == EIO_POST) eio_polling_post(s, r, x);
    else eio_answer(x, 400, eio_fault_body(EIO_BAD_REQUEST));
}

void eio_upgrade(struct eio_server *server, const struct eio_request *r, struct net_conn *c, struct str head,
                 struct str rest)
{
    struct ws_session *ws = ws_session_open(server->ws, c, &eio_websocket_handler, head, rest);
    if (r->sid.n) eio_websocket_probe(find(server, r->sid), ws);
    else eio_websocket_open(server, r, ws);
}
