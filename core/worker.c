#include "core/worker.h"

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/must.h"

enum { NICENESS = 10, SLICE_NS = 100000, FEW_PROCESSORS = 2, HOLD_NS = 1000000000 };

/* As the kernel has it (sched_setattr); glibc 2.36 has no name for it. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

struct worker {
    uv_thread_t thread;
    uv_async_t ran;
    void (*done)(void *arg);
    void (*closed)(void *arg);
    void *arg, *closed_arg;
    pid_t loop;             /* the thread of the loop, and the processors that it may use */
    cpu_set_t processors;
    uint64_t held_since;    /* 0: the loop is not held; the worker's thread alone uses it */

    uv_mutex_t mutex;   /* of what follows */
    uv_cond_t given;
    void (*run)(void *arg);
    void *run_arg;
    bool is_over, ended;
};

/* A tenth of a processor that others want, all of one that nobody does. Since 6.12 Linux also takes the slice for which
 * a thread may go on although others have woken up; before, it gave way to them at once. What cannot be had is done
 * without. */
static void let_others_go_first(void)
{
    struct attributes a = { .size = sizeof a, .policy = SCHED_BATCH, .nice = NICENESS, .runtime = SLICE_NS };
    if (syscall(SYS_sched_setattr, 0, &a, 0) != 0)
        (void) setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid), NICENESS);
}

/* Where the loop is, or was when it went to sleep: the 39th field of its stat; -1: not to be told. */
static int processor_of_loop(const struct worker *w)
{
    enum { STATE = 3, PROCESSOR = 39 };
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int) w->loop);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    char *at = strrchr(text, ')');   /* the second field is a name, with whatever in it */
    for (int i = STATE - 1; at && i < PROCESSOR; i++) at = strchr(at + 1, ' ');
    return at ? (int) strtol(at, NULL, 10) : -1;
}

/* Where there are few processors, work shares the loop's, and the loop stays there meanwhile. Else a loop that wakes up
 * and finds its processor taken is often put behind the database that has woken it, for milliseconds; a low priority of
 * the work, down to SCHED_IDLE, does not prevent that. (Two processors, Linux 6.18, a transfer's p99 beside log-ins:
 * 9 ms without this, 5 to 7 with it; 4 to 6 with no log-ins.) */
static void hold_loop(struct worker *w)
{
    if (w->held_since || CPU_COUNT(&w->processors) != FEW_PROCESSORS) return;
    int processor = processor_of_loop(w);
    if (processor < 0 || processor >= CPU_SETSIZE) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    (void) sched_setaffinity(0, sizeof one, &one);
    (void) sched_setaffinity(w->loop, sizeof one, &one);
    w->held_since = uv_hrtime();
}

static void let_loop_go(struct worker *w)
{
    if (w->held_since) (void) sched_setaffinity(w->loop, sizeof w->processors, &w->processors);
    w->held_since = 0;
}

/* Twice as long as it has worked, so that most of the time nobody meets it. */
static void rest(struct worker *w, uint64_t worked_ns)
{
    uint64_t until = uv_hrtime() + 2 * worked_ns;
    uv_mutex_lock(&w->mutex);
    for (uint64_t now = uv_hrtime(); !w->ended && now < until; now = uv_hrtime())
        uv_cond_timedwait(&w->given, &w->mutex, until - now);
    uv_mutex_unlock(&w->mutex);
}

/* Waits for a piece; false at the end. */
static bool take(struct worker *w, void (**run)(void *arg), void **arg)
{
    uv_mutex_lock(&w->mutex);
    if (!w->run) let_loop_go(w);
    while (!w->run && !w->ended) uv_cond_wait(&w->given, &w->mutex);
    *run = w->run;
    *arg = w->run_arg;
    uv_mutex_unlock(&w->mutex);
    return *run != NULL;
}

static void live(void *arg)
{
    struct worker *w = arg;
    void (*run)(void *arg);
    void *run_arg;
    let_others_go_first();
    while (take(w, &run, &run_arg)) {
        uint64_t began = uv_hrtime();
        hold_loop(w);
        run(run_arg);
        uint64_t now = uv_hrtime(), ns = now - began;
        /* Under lasting work it may move now and then: its place may have become a bad one. */
        if (now - w->held_since > HOLD_NS) let_loop_go(w);
        uv_mutex_lock(&w->mutex);
        w->run = NULL;
        w->is_over = true;
        uv_mutex_unlock(&w->mutex);
        uv_async_send(&w->ran);
        rest(w, ns);
    }
}

static void on_ran(uv_async_t *async)
{
    struct worker *w = async->data;
    uv_mutex_lock(&w->mutex);
    bool is_over = w->is_over;
    w->is_over = false;
    uv_mutex_unlock(&w->mutex);
    if (!is_over) return;
    uv_unref((uv_handle_t *) &w->ran);
    w->done(w->arg);
}

static void nothing(uv_work_t *req)
{
    (void) req;
}

static void on_pool_began(uv_work_t *req, int status)
{
    (void) status;
    mem_free(req);
}

/* The threads of the pool are born with its first work and keep the processors that the loop has then: all of them. */
static void begin_pool(uv_loop_t *loop)
{
    must(uv_queue_work(loop, mem_new(uv_work_t), nothing, on_pool_began) == 0);
}

struct worker *worker_new(uv_loop_t *loop, void (*done)(void *arg), void *arg)
{
    struct worker *w = mem_new(struct worker);
    w->done = done;
    w->arg = arg;
    w->ran.data = w;
    w->loop = (pid_t) syscall(SYS_gettid);
    if (sched_getaffinity(0, sizeof w->processors, &w->processors) != 0) CPU_ZERO(&w->processors);
    must(uv_mutex_init(&w->mutex) == 0 && uv_cond_init(&w->given) == 0);
    if (uv_thread_create(&w->thread, live, w) != 0) {
        uv_cond_destroy(&w->given);
        uv_mutex_destroy(&w->mutex);
        mem_free(w);
        return NULL;
    }
    must(uv_async_init(loop, &w->ran, on_ran) == 0);
    uv_unref((uv_handle_t *) &w->ran);   /* it keeps the loop alive while something runs only, as the pool does */
    begin_pool(loop);
    return w;
}

void worker_run(struct worker *w, void (*run)(void *arg), void *arg)
{
    uv_ref((uv_handle_t *) &w->ran);
    uv_mutex_lock(&w->mutex);
    must(!w->run && !w->is_over);
    w->run = run;
    w->run_arg = arg;
    uv_cond_signal(&w->given);
    uv_mutex_unlock(&w->mutex);
}

static void on_closed(uv_handle_t *handle)
{
    struct worker *w = handle->data;
    void (*closed)(void *arg) = w->closed;
    void *arg = w->closed_arg;
    uv_cond_destroy(&w->given);
    uv_mutex_destroy(&w->mutex);
    mem_free(w);
    closed(arg);
}

void worker_close(struct worker *w, void (*closed)(void *arg), void *arg)
{
    w->closed = closed;
    w->closed_arg = arg;
    uv_mutex_lock(&w->mutex);
    must(!w->run);
    w->ended = true;
    uv_cond_signal(&w->given);
    uv_mutex_unlock(&w->mutex);
    uv_thread_join(&w->thread);   /* it waits or rests, so this takes no time */
    uv_close((uv_handle_t *) &w->ran, on_closed);
}
