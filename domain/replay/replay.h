/* Any range of any stream, read again from the tables: for domain/live after a lost slot, and for clients that come
 * back. */
#pragma once

#include "domain/app.h"
#include "domain/ledger/event.h"

struct replay {
    struct app *app;
    int64_t account, user; /* the stream: an account, or (account 0) the user's inbox */
    int64_t first, last;   /* numbers, both included */
    /* For each event, in order; one of the two. Views, valid during the call. */
    void (*on_transfer)(struct replay *r, const struct ledger_event *e, int64_t seq);
    void (*on_inbox)(struct replay *r, int64_t seq, struct str type, struct str data, int64_t at_us);
    void (*done)(struct replay *r, enum err err); /* once, last */

    struct arena args; /* the statement's parameters, while it is under way */
};

/* OK: done comes later, and *r must live until then. ERR_UNAVAILABLE, ERR_FULL: it will not. */
enum err replay_start(struct replay *r);
