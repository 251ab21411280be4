/* Taking the server down, one part after the other: no new connections, answers for what is under way, sockets closed
 * with 1001, postings settled, then the rest. */
#pragma once

#include "core/flow.h"
#include "domain/app.h"

struct closing {
    struct app *app;
    struct flow flow;
    int doors;                /* not closed yet */
    void (*closed)(void *arg);
    void *arg;
};

/* Closes all that works by itself or is waited for. `closed` comes once, never from inside the call: nothing is under
 * way any more, and what is left may be freed. Something must keep the loop going until then. */
void closing_start(struct closing *c, struct app *app, void (*closed)(void *arg), void *arg);
