/* Work off the loop, behind a bounded queue: on libuv's pool, or, what keeps a processor busy for long, on a
 * thread of low priority, so that a flood of log-ins cannot take both cores, be felt by others, or grow without
 * end. `run` must touch nothing but the item's own memory. */
#pragma once

#include <uv.h>

#include "core/err.h"
#include "core/list.h"

struct work_queue;

struct work {
    struct list link;
    uv_work_t req;
    struct work_queue *queue;
    void (*run)(struct work *w);                    /* on a pool thread */
    void (*done)(struct work *w, enum err err);     /* on the loop, once: OK, or ERR_CLOSED when never run */
};

/* At most `parallel` items run at once, at most `waiting_max` wait behind them. */
struct work_queue *work_queue_new(uv_loop_t *loop, int parallel, int waiting_max);
/* One item at a time, on a thread of its own (see core/worker.h). NULL when there is no thread to be had. */
struct work_queue *work_queue_new_patient(uv_loop_t *loop, int waiting_max);
/* OK: done will be called later. ERR_FULL or ERR_CLOSED: it will not. */
enum err work_submit(struct work_queue *q, struct work *w);
int work_queue_length(const struct work_queue *q);  /* running and waiting */
/* Items that have not begun get done(ERR_CLOSED) at the next turn; once the running ones are done the queue frees
 * itself. */
void work_queue_close(struct work_queue *q);
/* The same, and calls `closed` then, never from inside the call. Let it set your pointer to NULL: that is a closed
 * queue. */
void work_queue_close_then(struct work_queue *q, void (*closed)(void *arg), void *arg);
