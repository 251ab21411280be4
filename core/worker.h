/* A thread of its own that runs one piece of work at a time at a low priority, and rests twice as long as it has
 * worked: the scheduler lets everybody else go first, so that a processor that is busy with passwords or pictures is
 * not felt by those who wait for a reply. (A thread of libuv's pool could not be given back: raising a priority again
 * takes privileges.) With two processors it works on the one that the loop's thread is on, which is bound to it
 * meanwhile. */
#pragma once

#include <uv.h>

struct worker;

/* done: on the loop, after each piece. NULL when there is no thread to be had. */
struct worker *worker_new(uv_loop_t *loop, void (*done)(void *arg), void *arg);
/* Runs on the thread, soon; not before the last one's done has come. */
void worker_run(struct worker *w, void (*run)(void *arg), void *arg);
/* While nothing runs. `closed` comes later, the worker is gone then. */
void worker_close(struct worker *w, void (*closed)(void *arg), void *arg);
