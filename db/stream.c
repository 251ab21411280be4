/* The change stream on the loop.
 *
 *     connecting ──▶ making the slot ──▶ starting ──▶ live ──▶ messages …
 *         ▲               └──────────────────┴──────────┴── lost, on_lost if it was live
 *         └── wire_retry ◀──────────────────────────────────┘
 *
 * The slot is temporary and dies with its connection, so there is nothing to clean up, and its WAL
 * is held only while we are here to take it. What we have taken is reported at least every
 * STATUS_MS: after a commit its end; between transactions also what keepalives tell, so that other
 * databases' traffic is not held for us.
 *
 * Between Begin and Commit the server sends the transaction's messages and nothing else, and only
 * after it has committed. A server that has become silent is asked at half of the time; one that
 * does not answer is lost, without waiting for it.
 *
 * The replication commands below are a language of their own, not SQL: they cannot be prepared and
 * take no parameters, so they stand here and not in .sql files. */
#include "db/stream.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "db/pgoutput.h"
#include "db/wire.h"

enum {
    STATUS_MS = 4000,
    TICK_MAX_MS = 1000,
    /* Making a slot waits for the transactions that run; an attempt anew would only wait longer. */
    SLOT_MS = 60000,
    USER_TIMEOUT_MS = 15000,
};

enum stream_state { STREAM_CONNECTING, STREAM_SLOT, STREAM_STARTING, STREAM_LIVE, STREAM_CLOSED };

struct db_stream {
    struct wire wire;
    struct wire_params params;
    char params_room[1024];
    struct wheel *wheel;
    struct wheel_timer tick;
    struct db_stream_options options;
    enum stream_state state;
    char slot[40];
    bool in_transaction, delivered;   /* delivered: this transaction had a message for us */
    int64_t committed_us;
    uint64_t position;                /* everything before it has been taken */
    uint64_t heard_ms, status_ms;
    bool asked;                       /* a reply was asked for since something was heard */
    char trouble[WIRE_WHY_MAX];       /* the last one logged: a lasting one is one line */
    void (*closed)(void *arg);
    void *closed_arg;
};

static void on_open(struct wire *w);
static void on_input(struct wire *w, bool heard);
static void on_lost(struct wire *w, const char *why);
static void on_tick(struct wheel_timer *t);

static const struct wire_events events = { on_open, on_input, on_lost };

static uint64_t tick_ms(const struct db_stream *s)
{
    uint64_t quarter = (uint64_t) s->options.silence_ms / 4;
    return quarter < TICK_MAX_MS ? quarter : TICK_MAX_MS;
}

struct db_stream *db_stream_new(uv_loop_t *loop, struct wheel *wheel, const struct db_stream_options *options)
{
    must(options->silence_ms >= 400 && options->on_live && options->on_lost && options->on_message);
    struct db_stream *s = mem_new(struct db_stream);
    s->options = *options;
    s->wheel = wheel;
    wheel_timer_init(&s->tick, on_tick);
    wire_init(&s->wire, loop, &events, &s->params);
    if (wire_params_init(&s->params, options->url, "stream", "", USER_TIMEOUT_MS, s->params_room,
                         sizeof s->params_room)) {
        wire_param(&s->params, "replication", "database");
        wire_retry(&s->wire);
        wheel_set(wheel, &s->tick, tick_ms(s));
    } else {
        log_error("stream", "trouble", "why=%s", LOG_STR(STR("malformed connection string")));
    }
    return s;
}

bool db_stream_is_live(const struct db_stream *s)
{
    return s->state == STREAM_LIVE;
}

static void lose(struct db_stream *s, const char *why)
{
    char copy[WIRE_WHY_MAX];
    wire_reason(why, copy);   /* what libpq says lives in the connection that ends now */
    bool was_live = s->state == STREAM_LIVE;
    if (s->wire.state != WIRE_IDLE) wire_drop(&s->wire);
    s->state = STREAM_CONNECTING;
    if (was_live || strcmp(s->trouble, copy) != 0) {
        log_warn("stream", was_live ? "lost" : "trouble", "why=%s", LOG_STR(str_from(copy)));
        memcpy(s->trouble, copy, sizeof copy);
    }
    wire_retry(&s->wire);
    if (was_live) s->options.on_lost(s->options.arg, copy);
}

static void on_lost(struct wire *w, const char *why)
{
    lose(list_entry(w, struct db_stream, wire), why);
}

static void send_command(struct db_stream *s, enum stream_state next, const char *command)
{
    s->state = next;
    if (!PQsendQuery(s->wire.pg, command) || !wire_flush(&s->wire)) lose(s, PQerrorMessage(s->wire.pg));
}

static void on_open(struct wire *w)
{
    struct db_stream *s = list_entry(w, struct db_stream, wire);
    uint8_t chance[8];
    char command[160];
    must(uv_random(NULL, NULL, chance, sizeof chance, 0, NULL) == 0);
    int n = snprintf(s->slot, sizeof s->slot, "tally_");
    for (size_t i = 0; i < sizeof chance; i++) {
        n += snprintf(s->slot + n, sizeof s->slot - (size_t) n, "%02x", chance[i]);
    }
    snprintf(command, sizeof command, "CREATE_REPLICATION_SLOT \"%s\" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT",
             s->slot);
    uv_timer_stop(&w->timer);   /* from here on the deadline is ours, see on_tick */
    s->heard_ms = clock_mono_ms();
    send_command(s, STREAM_SLOT, command);
}

static void on_slot_made(struct db_stream *s)
{
    char command[200];
    snprintf(command, sizeof command,
             "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 "
             "(proto_version '1', publication_names 'tally', messages 'true')",
             s->slot);
    send_command(s, STREAM_STARTING, command);
}

static void on_started(struct db_stream *s)
{
    s->state = STREAM_LIVE;
    s->in_transaction = s->delivered = s->asked = false;
    s->position = 0;
    s->status_ms = clock_mono_ms();
    s->trouble[0] = 0;
    wire_settled(&s->wire);
    log_info("stream", "live", "slot=%s pid=%d", s->slot, PQbackendPID(s->wire.pg));
    s->options.on_live(s->options.arg);
}

static void send_status(struct db_stream *s, bool reply_wanted)
{
    char status[PGOUTPUT_STATUS_BYTES];
    pgoutput_status(status, s->position, clock_wall_us(), reply_wanted);
    s->status_ms = clock_mono_ms();
    s->asked = s->asked || reply_wanted;
    if (PQputCopyData(s->wire.pg, status, sizeof status) != 1 || !wire_flush(&s->wire)) {
        lose(s, PQerrorMessage(s->wire.pg));
    }
}

static void on_commit(struct db_stream *s, const struct pgoutput *m)
{
    bool delivered = s->delivered;
    s->in_transaction = s->delivered = false;
    s->position = m->position;
    if (delivered && s->options.on_commit) s->options.on_commit(s->options.arg);
}

static void on_frame(struct db_stream *s, struct str frame)
{
    struct pgoutput m;
    if (!pgoutput_decode(frame, &m)) {
        lose(s, "a malformed replication message");
        return;
    }
    switch (m.kind) {
    case PGOUTPUT_KEEPALIVE:
        if (!s->in_transaction && m.position > s->position) s->position = m.position;
        if (m.reply_wanted) send_status(s, false);
        break;
    case PGOUTPUT_BEGIN:
        s->in_transaction = true;
        s->committed_us = m.time_us;
        break;
    case PGOUTPUT_COMMIT:
        on_commit(s, &m);
        break;
    case PGOUTPUT_MESSAGE:
        if (!m.transactional || !s->in_transaction || !str_eq(m.prefix, STR("tally"))) break;
        s->delivered = true;
        s->options.on_message(s->options.arg, m.content, s->committed_us);
        break;
    case PGOUTPUT_OTHER:
        break;
    }
}

/* All frames that have arrived whole. The callbacks may close the stream. */
static void read_frames(struct db_stream *s)
{
    while (s->state == STREAM_LIVE) {
        char *data = NULL;
        int n = PQgetCopyData(s->wire.pg, &data, 1);
        if (n == 0) return;
        if (n < 0) {
            /* -1: the server has ended the copying, and its next result tells why. */
            PGresult *r = n == -1 && !PQisBusy(s->wire.pg) ? PQgetResult(s->wire.pg) : NULL;
            lose(s, r ? PQresultErrorMessage(r) : PQerrorMessage(s->wire.pg));
            PQclear(r);
            return;
        }
        on_frame(s, (struct str){ data, (size_t) n });
        PQfreemem(data);
    }
}

static void read_answer(struct db_stream *s)
{
    if (PQisBusy(s->wire.pg)) return;
    PGresult *r = PQgetResult(s->wire.pg);
    ExecStatusType status = PQresultStatus(r);
    if (s->state == STREAM_SLOT && !r) {
        on_slot_made(s);   /* the NULL behind the slot's row */
    } else if (s->state == STREAM_SLOT && status == PGRES_TUPLES_OK) {
        PQclear(r);
        read_answer(s);
        return;
    } else if (s->state == STREAM_STARTING && status == PGRES_COPY_BOTH) {
        on_started(s);
    } else {
        lose(s, r ? PQresultErrorMessage(r) : PQerrorMessage(s->wire.pg));
    }
    PQclear(r);
}

static void on_input(struct wire *w, bool heard)
{
    struct db_stream *s = list_entry(w, struct db_stream, wire);
    if (heard) {
        s->heard_ms = clock_mono_ms();
        s->asked = false;
    }
    if (s->state == STREAM_SLOT || s->state == STREAM_STARTING) read_answer(s);
    if (s->state == STREAM_LIVE) read_frames(s);
}

static void on_tick(struct wheel_timer *t)
{
    struct db_stream *s = list_entry(t, struct db_stream, tick);
    wheel_set(s->wheel, t, tick_ms(s));
    if (s->wire.state != WIRE_OPEN) return;
    uint64_t now = clock_mono_ms(), silent = now - s->heard_ms;
    uint64_t limit = s->state == STREAM_LIVE ? (uint64_t) s->options.silence_ms : SLOT_MS;
    if (silent >= limit) lose(s, "the server has become silent");
    else if (s->state != STREAM_LIVE) return;
    else if (silent >= limit / 2 && !s->asked) send_status(s, true);
    else if (now - s->status_ms >= STATUS_MS) send_status(s, false);
}

static void on_wire_closed(struct wire *w)
{
    struct db_stream *s = list_entry(w, struct db_stream, wire);
    void (*closed)(void *arg) = s->closed;
    void *arg = s->closed_arg;
    mem_free(s);
    if (closed) closed(arg);
}

void db_stream_close(struct db_stream *s, void (*closed)(void *arg), void *arg)
{
    must(s->state != STREAM_CLOSED);
    s->state = STREAM_CLOSED;
    s->closed = closed;
    s->closed_arg = arg;
    wheel_cancel(&s->tick);
    wire_close(&s->wire, on_wire_closed);
}
