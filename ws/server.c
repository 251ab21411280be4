/* The sessions of one process: their list, their flush at the end of the turn, their common
 * budget, their metrics, and the end of them all.
 *
 * The flush is one turn item for all sessions. What is deferred after it may still send, so the
 * first time it comes up it goes behind the other items of the turn once: a session's frames leave
 * in one write.
 *
 * A flush that took long (one event to thousands of sockets) is followed by a pause of a quarter of
 * its time, 4 ms at most, in which what comes is gathered: most of a write's cost is the kernel's for
 * the write, not for its bytes, so under load two events in one write cost little more than one. The
 * sockets waited longer than that for the flush itself. Short flushes are followed by no pause.
 *
 * The struct is freed when ws_server_free was called, the timers are closed and the last session has
 * gone. */
#include "core/clock.h"
#include "core/mem.h"
#include "core/must.h"
#include "ws/session_private.h"

enum { DEFAULT_CLOSE_MS = 5000, DEFAULT_MESSAGE_MS = 20000, DEFAULT_TOTAL = 256 * 1024 * 1024 };
enum { GATHER_SHARE = 4, GATHER_MIN_US = 200, GATHER_MAX_US = 4000 };

static void on_flush(struct turn_item *item);
static void on_drain_timer(uv_timer_t *timer);

/* --- metrics ---------------------------------------------------------------------------------- */

static int64_t read_sessions(void *arg)
{
    return ((struct ws_server *) arg)->count;
}

static int64_t read_waiting(void *arg)
{
    return ((struct ws_server *) arg)->waiting;
}

static void add_metrics(struct ws_server *server, struct metrics *to)
{
    struct ws_counters *c = &server->counters;
    static const char closed[] = "tally_ws_closed_total",
                      closed_help[] = "WebSocket sessions that have ended, by close code.";
    *c = (struct ws_counters){
        .sessions = { .name = "tally_ws_sessions",
                      .help = "Open WebSocket sessions.",
                      .type = METRIC_GAUGE,
                      .read = read_sessions,
                      .arg = server },
        .waiting = { .name = "tally_ws_waiting_bytes",
                     .help = "Bytes that wait for slow clients.",
                     .type = METRIC_GAUGE,
                     .read = read_waiting,
                     .arg = server },
        .frames = { .name = "tally_ws_frames_total", .help = "Frames sent.", .type = METRIC_COUNTER },
        .bytes = { .name = "tally_ws_bytes_total", .help = "Bytes sent.", .type = METRIC_COUNTER },
        .messages = { .name = "tally_ws_messages_total", .help = "Messages received.", .type = METRIC_COUNTER },
        .conflated = { .name = "tally_ws_conflated_total",
                       .help = "Events that a newer one of the same object replaced.",
                       .type = METRIC_COUNTER },
        .slow = { .name = "tally_ws_slow_total",
                  .help = "Sessions closed because they did not read.",
                  .type = METRIC_COUNTER },
        .closed_normal = { .name = closed, .labels = "class=\"normal\"", .help = closed_help, .type = METRIC_COUNTER },
        .closed_violation = { .name = closed,
                              .labels = "class=\"violation\"",
                              .help = closed_help,
                              .type = METRIC_COUNTER },
        .closed_abnormal = { .name = closed,
                             .labels = "class=\"abnormal\"",
                             .help = closed_help,
                             .type = METRIC_COUNTER },
        .closed_application = { .name = closed,
                                .labels = "class=\"application\"",
                                .help = closed_help,
                                .type = METRIC_COUNTER },
    };
    struct metric *all[] = { &c->sessions,
                             &c->waiting,
                             &c->frames,
                             &c->bytes,
                             &c->messages,
                             &c->conflated,
                             &c->slow,
                             &c->closed_normal,
                             &c->closed_violation,
                             &c->closed_abnormal,
                             &c->closed_application };
    for (size_t i = 0; to && i < sizeof all / sizeof *all; i++) metrics_add(to, all[i]);
}

/* --- life ------------------------------------------------------------------------------------- */

struct ws_server *ws_server_new(const struct ws_options *options)
{
    must(options->loop && options->turn && options->wheel && options->extra_bytes >= 0);
    must(options->ping_interval_ms > 0 && options->pong_timeout_ms > 0);
    must(options->message_max > 0 && options->queue_bytes > 0);
    struct ws_server *server = mem_new(struct ws_server);
    server->options = *options;
    if (!server->options.close_timeout_ms) server->options.close_timeout_ms = DEFAULT_CLOSE_MS;
    if (!server->options.message_timeout_ms) server->options.message_timeout_ms = DEFAULT_MESSAGE_MS;
    if (!server->options.queue_bytes_total) server->options.queue_bytes_total = DEFAULT_TOTAL;
    list_init(&server->sessions);
    list_init(&server->dirty);
    turn_item_init(&server->flush, on_flush);
    server->ping = ws_frame_new(WS_PING, STR_NONE);
    must(uv_timer_init(options->loop, &server->drain_timer) == 0);
    must(uv_timer_init(options->loop, &server->gather) == 0);
    server->drain_timer.data = server->gather.data = server;
    server->handles = 2;
    add_metrics(server, options->metrics);
    return server;
}

void ws_server_add(struct ws_server *server, struct ws_session *s)
{
    s->server = server;
    list_append(&server->sessions, &s->link);
    server->count++;
}

int ws_server_count(const struct ws_server *server)
{
    return server->count;
}

struct ws_session *ws_server_next(const struct ws_server *server, struct ws_session *after)
{
    struct list *link = after ? after->link.next : server->sessions.next;
    return link == &server->sessions ? NULL : list_entry(link, struct ws_session, link);
}

static void end_all(struct ws_server *server)
{
    for (struct ws_session *s = NULL; (s = ws_server_next(server, s));) ws_session_end(s);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct ws_server *server = handle->data;
    server->handles--;
    ws_server_gone(server);
}

void ws_server_free(struct ws_server *server)
{
    must(!server->freed);
    server->freed = true;
    end_all(server);
    uv_close((uv_handle_t *) &server->drain_timer, on_timer_closed);
    uv_close((uv_handle_t *) &server->gather, on_timer_closed);
}

/* Somebody the server had to wait for is gone: the last one switches the light off. */
void ws_server_gone(struct ws_server *server)
{
    if (server->count > 0) return;
    if (!server->freed) {
        if (server->draining && server->drained) uv_timer_start(&server->drain_timer, on_drain_timer, 0, 0);
        return;
    }
    if (server->handles > 0) return;
    turn_cancel(&server->flush);
    ws_receivers_fini(server);
    ws_rings_fini(&server->rings);
    ws_frame_unref(server->ping);
    mem_free(server);
}

/* --- the end of a turn ------------------------------------------------------------------------ */

void ws_server_mark(struct ws_session *s)
{
    if (!list_empty(&s->dirty)) return;
    list_append(&s->server->dirty, &s->dirty);
    turn_defer(s->server->options.turn, &s->server->flush);
}

static uint32_t fullest(const struct ws_server *server)
{
    uint32_t most = 0;
    for (struct ws_session *s = NULL; (s = ws_server_next(server, s));) {
        if (s->state == WS_OPEN && s->counted > most) most = s->counted;
    }
    return most;
}

/* The machine's memory comes before the slowest clients' convenience: those go that hold at least
 * half of what the fullest holds, until an eighth of the budget is free again, so that this is not
 * done for every frame. */
static void keep_budget(struct ws_server *server)
{
    int64_t total = server->options.queue_bytes_total;
    if (server->waiting <= total) return;
    uint32_t most;
    while (server->waiting > total - total / 8 && (most = fullest(server)) > 0) {
        for (struct ws_session *s = NULL; (s = ws_server_next(server, s));) {
            if (server->waiting <= total - total / 8) return;
            if (s->state == WS_OPEN && s->counted > 0 && s->counted >= most / 2) ws_session_slow(s);
        }
    }
}

static void on_gathered(uv_timer_t *timer)
{
    struct ws_server *server = timer->data;
    server->gather_until_us = 0;
    turn_defer(server->options.turn, &server->flush);
}

/* True while what comes is still being gathered; on_gathered goes on. */
static bool gathers(struct ws_server *server)
{
    uint64_t now = server->gather_until_us ? clock_mono_us() : 0;
    if (now >= server->gather_until_us || server->freed) return false;
    if (!uv_is_active((uv_handle_t *) &server->gather))
        uv_timer_start(&server->gather, on_gathered, (server->gather_until_us - now + 999) / 1000, 0);
    return true;
}

/* While one is written, which takes microseconds in the kernel, the memory of the next two comes: list_shift has just
 * touched the next one, so the one behind it can be named. */
static void prefetch_next(const struct ws_server *server)
{
    const struct list *next = list_first(&server->dirty);
    if (!next) return;
    net_prefetch(list_entry(next, struct ws_session, dirty)->conn);
    if (next->next == &server->dirty) return;
    const struct ws_session *after = list_entry(next->next, struct ws_session, dirty);
    __builtin_prefetch(&after->magic);
    __builtin_prefetch(&after->dirty);
}

static void flush_all(struct ws_server *server)
{
    uint64_t began = clock_mono_us();
    struct list *link;
    while ((link = list_shift(&server->dirty))) {
        prefetch_next(server);
        ws_session_flush(list_entry(link, struct ws_session, dirty));
    }
    uint64_t ended = clock_mono_us(), pause = (ended - began) / GATHER_SHARE;
    if (pause > GATHER_MAX_US) pause = GATHER_MAX_US;
    server->gather_until_us = pause >= GATHER_MIN_US ? ended + pause : 0;
}

static void on_flush(struct turn_item *item)
{
    struct ws_server *server = list_entry(item, struct ws_server, flush);
    struct turn *turn = server->options.turn;
    if (gathers(server)) return;
    if (!server->flushed_late && !list_empty(&turn->items)) {
        server->flushed_late = true;
        turn_defer(turn, item);
        return;
    }
    server->flushed_late = false;
    flush_all(server);
    keep_budget(server);
}

/* --- draining --------------------------------------------------------------------------------- */

void ws_server_drain(struct ws_server *server, int timeout_ms, void (*drained)(void *arg), void *arg)
{
    must(!server->draining && drained && timeout_ms >= 0);
    server->draining = true;
    server->drained = drained;
    server->drained_arg = arg;
    server->drain_left = server->count;
    server->drain_until_ms = clock_mono_ms() + (uint64_t) timeout_ms;
    uv_timer_start(&server->drain_timer, on_drain_timer, 0, 0);
}

/* Those that have been told go to the end of the list. */
static void drain_some(struct ws_server *server)
{
    for (int n = 0; n < WS_DRAIN_SLICE && server->drain_left > 0; n++, server->drain_left--) {
        struct list *link = list_shift(&server->sessions);
        if (!link) return;
        list_append(&server->sessions, link);
        ws_session_close(list_entry(link, struct ws_session, link), WS_GOING_AWAY, STR("server going away"));
    }
}

static void on_drain_timer(uv_timer_t *timer)
{
    struct ws_server *server = timer->data;
    uint64_t now = clock_mono_ms();
    if (server->count == 0 || now >= server->drain_until_ms) {
        void (*drained)(void *arg) = server->drained;
        server->drained = NULL;
        end_all(server);
        drained(server->drained_arg);
        return;
    }
    drain_some(server);
    uint64_t again = server->drain_left > 0 ? 1 : server->drain_until_ms - now;
    uv_timer_start(timer, on_drain_timer, again, 0);
}
