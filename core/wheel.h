/* All deadlines of the server on one libuv timer: a hierarchical wheel, 100 ms a tick, O(1) to set,
 * move and cancel. Deadlines are at least as late as asked for and at most a tick later. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "core/list.h"

struct wheel;

struct wheel_timer {
    struct list link;
    uint64_t due_tick;
    void (*fire)(struct wheel_timer *t);
};

struct wheel *wheel_new(uv_loop_t *loop);          /* does not keep the loop alive */
void wheel_close(struct wheel *w);                 /* frees itself; nothing fires any more */
void wheel_timer_init(struct wheel_timer *t, void (*fire)(struct wheel_timer *t));
void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t after_ms);   /* also when already set */
void wheel_cancel(struct wheel_timer *t);          /* harmless when not set */
bool wheel_is_set(const struct wheel_timer *t);

/* For tests: advances by hand instead of by the clock. */
void wheel_advance(struct wheel *w, uint64_t ms);
