/* A handler with more than one wait, as named steps that read top to bottom.
 *
 *     static const struct flow_step steps[] = { { "load", load }, { "decide", decide }, { NULL, NULL } };
 *     flow_start(&f->flow, steps, on_done, f);
 *
 * A step returns FLOW_NEXT (go on at once), FLOW_WAIT (it started an async call, whose callback
 * will call flow_resume or flow_fail exactly once, later, never from inside the step), FLOW_FAIL
 * (it has called flow_set_error, or err stays ERR_INTERNAL), or FLOW_END (done, skip the rest).
 * What the steps share lives in the struct around the flow. `done` runs exactly once; the first
 * error wins. */
#pragma once

#include <stdint.h>

#include "core/err.h"

enum flow_result { FLOW_NEXT, FLOW_WAIT, FLOW_FAIL, FLOW_END };

struct flow;

struct flow_step {
    const char *name;
    enum flow_result (*run)(void *arg);
};

struct flow {
    uint32_t magic;
    const struct flow_step *step;     /* the current one; its name goes into logs as step= */
    void (*done)(void *arg, enum err err);
    void *arg;
    enum err err;
    enum { FLOW_RUNNING, FLOW_WAITING, FLOW_DONE } state;
};

void flow_start(struct flow *f, const struct flow_step *steps, void (*done)(void *arg, enum err err), void *arg);
void flow_resume(struct flow *f);                 /* the waited-for call succeeded */
void flow_fail(struct flow *f, enum err err);     /* the waited-for call failed */
void flow_set_error(struct flow *f, enum err err);
