/* A libpq connection on the loop.
 *
 * Happy path: wire_retry starts the timer; when it fires, names are looked up, PQconnectStartParams begins, and the
 * socket is polled as PQconnectPoll asks for until it says that all is well: on_open. From then on every readable
 * moment reads once and tells the owner through on_input.
 *
 * Failures: whatever breaks (refused, deadline, end of file) ends in one place, wire_lost, which
 * drops the connection and tells the owner, who decides whether to call wire_retry.
 *
 * libpq may close its socket and open another inside PQconnectPoll (next address, without TLS), and
 * the new one often has the old one's number. Therefore the poll is stopped before each call, so
 * that libuv forgets what it knows of the number, and a poll handle never outlives its number. */
#include "db/wire.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"
#include "core/must.h"

enum { CONNECT_MS = 5000, PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 600 };

struct wire_poll {
    uv_poll_t handle;
    struct wire *wire;
    int fd, events;   /* events: 0 while stopped */
};

static void on_timer(uv_timer_t *timer);
static void on_poll(uv_poll_t *handle, int status, int events);
static void wire_lost(struct wire *w, const char *message);

void wire_init(struct wire *w, uv_loop_t *loop, const struct wire_events *events, const struct wire_params *params)
{
    *w = (struct wire){ .loop = loop, .events = events, .params = params };
    must(uv_timer_init(loop, &w->timer) == 0);
    w->timer.data = w;
}

/* Doubles from attempt to attempt; half of it is chance, so that many processes do not come at once. */
static uint64_t pause_ms(const struct wire *w)
{
    if (w->attempts == 0) return 0;
    uint64_t pause = (uint64_t) PAUSE_MIN_MS << (w->attempts < 5 ? w->attempts - 1 : 4);
    if (pause > PAUSE_MAX_MS) pause = PAUSE_MAX_MS;
    uint16_t chance = 0;
    must(uv_random(NULL, NULL, &chance, sizeof chance, 0, NULL) == 0);
    return pause / 2 + chance % (pause / 2 + 1);
}

void wire_retry(struct wire *w)
{
    must(w->state == WIRE_IDLE);
    w->state = WIRE_PAUSING;
    must(uv_timer_start(&w->timer, on_timer, pause_ms(w), 0) == 0);
    w->attempts++;
}

/* Sets what the socket is waited for; a new handle when the number of the socket is another one. */
static void poll_for(struct wire *w, int events)
{
    int fd = PQsocket(w->pg);
    if (!w->poll) {
        w->poll = mem_new(struct wire_poll);
        w->poll->wire = w;
        w->poll->fd = fd;
        must(uv_poll_init(w->loop, &w->poll->handle, fd) == 0);
    }
    must(w->poll->fd == fd);
    if (w->poll->events == events) return;   /* starting again would cost two system calls */
    w->poll->events = events;
    must(uv_poll_start(&w->poll->handle, events, on_poll) == 0);
}

static void check_closed(struct wire *w)
{
    if (w->state == WIRE_CLOSED && w->timer_closed && w->polls_closing == 0) w->closed(w);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct wire_poll *poll = (struct wire_poll *) handle;
    struct wire *w = poll->wire;
    mem_free(poll);
    w->polls_closing--;
    check_closed(w);
}

static void poll_drop(struct wire *w)
{
    if (!w->poll) return;
    w->polls_closing++;
    uv_close((uv_handle_t *) &w->poll->handle, on_poll_closed);
    w->poll = NULL;
}

/* What libpq does not expect, such as the last words of a session while nothing is asked, it gives as a notice. Notices
 * are not for us, but last words say why a connection ended. */
static void on_notice(void *arg, const PGresult *r)
{
    struct wire *w = arg;
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    bool last = severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
    if (last && message) snprintf(w->last_words, sizeof w->last_words, "%s", message);
}

static void opened(struct wire *w)
{
    must(PQsetnonblocking(w->pg, 1) == 0);
    w->state = WIRE_OPEN;
    poll_for(w, UV_READABLE);
    w->events->on_open(w);
}

static void connect_step(struct wire *w, PostgresPollingStatusType status)
{
    int fd = PQsocket(w->pg);
    if (w->poll && w->poll->fd != fd) poll_drop(w);
    switch (status) {
    case PGRES_POLLING_READING:
        poll_for(w, UV_READABLE);
        return;
    case PGRES_POLLING_WRITING:
        poll_for(w, UV_WRITABLE);
        return;
    case PGRES_POLLING_OK:
        opened(w);
        return;
    default:
        wire_lost(w, PQerrorMessage(w->pg));
    }
}

static void set_deadline(struct wire *w)
{
    must(uv_timer_start(&w->timer, on_timer, CONNECT_MS, 0) == 0);
}

/* The parameters with the addresses behind them: what comes later counts. */
static PGconn *start_with(const struct wire_params *params, const struct address_list *at)
{
    struct wire_params all = *params;
    if (at) {
        wire_param(&all, "host", at->host);
        wire_param(&all, "hostaddr", at->hostaddr);
    }
    if (at && at->port) wire_param(&all, "port", at->port);
    return PQconnectStartParams(all.keys, all.values, 1);
}

static void connect_start(struct wire *w, const struct address_list *at)
{
    w->state = WIRE_CONNECTING;
    w->last_words[0] = 0;
    w->pg = start_with(w->params, at);
    must(w->pg != NULL);
    set_deadline(w);
    PQsetNoticeReceiver(w->pg, on_notice, w);
    bool failed = PQstatus(w->pg) == CONNECTION_BAD || PQsocket(w->pg) < 0;
    connect_step(w, failed ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING);
}

static void on_looked_up(void *arg, const struct address_list *found, const char *why)
{
    struct wire *w = arg;
    w->lookup = NULL;
    if (w->state != WIRE_LOOKING_UP) return;   /* it took too long; the next attempt looks anew */
    if (found->count > 0) connect_start(w, found);
    else wire_lost(w, why);
}

static void look_up(struct wire *w)
{
    w->state = WIRE_LOOKING_UP;
    set_deadline(w);
    if (!w->lookup) w->lookup = address_lookup(w->loop, &w->params->hosts, w->first, on_looked_up, w);
}

static void on_timer(uv_timer_t *timer)
{
    struct wire *w = timer->data;
    switch (w->state) {
    case WIRE_PAUSING:
        if (w->params->hosts.count > 0) look_up(w);
        else connect_start(w, NULL);
        return;
    case WIRE_LOOKING_UP:
        wire_lost(w, "no answer while looking up the host's name");
        return;
    default:
        must(w->state == WIRE_CONNECTING || w->state == WIRE_OPEN);
        w->first = (w->first + 1) % (1 << 20);
        wire_lost(w, "no answer while connecting");
    }
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    struct wire *w = ((struct wire_poll *) handle)->wire;
    if (w->state == WIRE_CONNECTING) {
        uv_poll_stop(handle);
        w->poll->events = 0;
        connect_step(w, PQconnectPoll(w->pg));
        return;
    }
    must(w->state == WIRE_OPEN);
    /* An error of the poll shows itself to libpq as soon as it reads. */
    bool alive = true, heard = status < 0 || events & UV_READABLE;
    if (heard) alive = PQconsumeInput(w->pg) == 1;
    if (status < 0) alive = false;   /* libuv has stopped the poll */
    /* Answers that arrived before the end still count, so they are taken before anything is written: libpq forgets what
     * it waits for as soon as it meets the end, and then the answers in its buffer mean nothing to it any more. While
     * it writes it may read as well, so they are looked for again. */
    w->events->on_input(w, heard);
    if (w->state != WIRE_OPEN) return;
    if (alive) alive = wire_flush(w);
    if (events & UV_WRITABLE) w->events->on_input(w, false);
    if (!alive && w->state == WIRE_OPEN) wire_lost(w, wire_why(w));
}

const char *wire_why(struct wire *w)
{
    PQisBusy(w->pg);   /* makes libpq look at what it has read */
    return *w->last_words ? w->last_words : PQerrorMessage(w->pg);
}

void wire_settled(struct wire *w)
{
    must(w->state == WIRE_OPEN);
    uv_timer_stop(&w->timer);
    w->attempts = 1;   /* the next attempt pauses a little: a server that throws us out is not hammered */
}

bool wire_flush(struct wire *w)
{
    must(w->state == WIRE_OPEN);
    int left = PQflush(w->pg);
    if (left < 0 || PQsocket(w->pg) < 0) return false;
    poll_for(w, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
    return true;
}

/* PQfinish says goodbye to the server but never waits for it: the connection does not block. */
void wire_drop(struct wire *w)
{
    must(w->state != WIRE_CLOSED);
    uv_timer_stop(&w->timer);
    poll_drop(w);
    if (w->pg) PQfinish(w->pg);
    w->pg = NULL;
    w->state = WIRE_IDLE;
}

static void wire_lost(struct wire *w, const char *message)
{
    wire_reason(message, w->why);
    wire_drop(w);
    w->events->on_lost(w, w->why);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct wire *w = handle->data;
    w->timer_closed = true;
    check_closed(w);
}

void wire_close(struct wire *w, void (*closed)(struct wire *w))
{
    wire_drop(w);
    if (w->lookup) address_lookup_forget(w->lookup);
    w->state = WIRE_CLOSED;
    w->closed = closed;
    uv_close((uv_handle_t *) &w->timer, on_timer_closed);
}
