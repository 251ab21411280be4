/* One libpq connection on the loop: connecting without blocking, waiting for its socket, the pause
 * before the next attempt, the end. What is said over it is its owner's (db/conn.c, db/stream.c).
 *
 *     idle ── wire_retry ──▶ pausing ──▶ looking up ──▶ connecting ──▶ open ── wire_settled ──▶ open
 *       ▲                                     │               │            │
 *       └─────────────────── wire_drop, or before on_lost ────┴────────────┘
 *
 * Looking up: only where the hosts have names, or are several (db/address.h). From then until wire_settled a deadline
 * runs, so that a server that accepts and then says nothing is given up like one that cannot be reached. Of several
 * addresses libpq tries the next when one refuses; one that says nothing uses up the deadline, so the next attempt
 * begins with the address behind it. */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <uv.h>

#include "core/str.h"
#include "db/address.h"

enum { WIRE_PARAMS_MAX = 16, WIRE_WHY_MAX = 256 };

struct wire_params {
    const char *keys[WIRE_PARAMS_MAX + 1], *values[WIRE_PARAMS_MAX + 1];   /* ended by NULL */
    int count;
    struct address_hosts hosts;
};

enum wire_state { WIRE_IDLE, WIRE_PAUSING, WIRE_LOOKING_UP, WIRE_CONNECTING, WIRE_OPEN, WIRE_CLOSED };

struct wire;

struct wire_events {
    void (*on_open)(struct wire *w);                    /* authenticated; libpq does not block any more */
    void (*on_input)(struct wire *w, bool heard);       /* take what is complete; heard: something was read just now */
    void (*on_lost)(struct wire *w, const char *why);   /* it cannot connect, or broke; the wire is idle */
};

struct wire {
    uv_loop_t *loop;
    const struct wire_events *events;
    const struct wire_params *params;
    enum wire_state state;
    struct address_lookup *lookup;   /* under way, perhaps since an attempt that was given up: there is only one */
    int first;                  /* of the addresses, the one to begin with */
    PGconn *pg;                 /* NULL unless connecting or open */
    struct wire_poll *poll;     /* waits for the socket; a new one whenever libpq takes another socket */
    int polls_closing;
    uv_timer_t timer;           /* the pause, then the deadline of the connecting */
    bool timer_closed;
    int attempts;               /* since the last wire_settled: the longer the pause */
    void (*closed)(struct wire *w);
    char last_words[WIRE_WHY_MAX];   /* of the session, when it said them while nothing was asked; or "" */
    char why[WIRE_WHY_MAX];     /* why the last connection ended */
};

/* Both params and events must outlive the wire. */
void wire_init(struct wire *w, uv_loop_t *loop, const struct wire_events *events, const struct wire_params *params);
void wire_retry(struct wire *w);      /* idle only: connects after a pause, none at the first attempt */
void wire_settled(struct wire *w);    /* the connection is as wanted: ends the deadline, forgets the attempts */
bool wire_flush(struct wire *w);      /* sends what libpq holds, now or as soon as possible; false: broken */
const char *wire_why(struct wire *w);   /* open only: what was said of its end, its last words or libpq's error */
void wire_drop(struct wire *w);       /* ends it without waiting for anybody; idle afterwards */
void wire_close(struct wire *w, void (*closed)(struct wire *w));   /* for good; `closed` comes later, once */

void wire_param(struct wire_params *params, const char *key, const char *value);
/* What both kinds of connection say before and after the URL; `options` is added to those of the URL
 * and is kept in `room`, as long as the params live. False when the URL is malformed. */
bool wire_params_init(struct wire_params *params, const char *url, const char *name, const char *options,
                      int user_timeout_ms, char *room, size_t room_size);
/* The one line of libpq's message that matters, without the address, which is not for everybody. */
void wire_reason(const char *message, char out[WIRE_WHY_MAX]);
