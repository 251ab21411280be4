/* A bounded queue before libuv's thread pool, or before a worker of its own.
 *
 * An item is in one of two lists: `waiting`, or `running`, which means handed to the pool (where it
 * may still wait for a thread, and can be taken back) or to the worker. Closing takes back what has not
 * begun; the queue's timer never runs, its close callback is the "next turn" in which those items hear
 * of it. The queue frees itself when both lists are empty and the timer and the worker are closed. */
#include "core/work.h"

#include "core/mem.h"
#include "core/must.h"
#include "core/worker.h"

struct work_queue {
    uv_loop_t *loop;
    struct worker *worker;   /* NULL: the pool */
    uv_timer_t timer;
    struct list waiting, running;
    int waiting_count, running_count;
    int waiting_max, parallel;
    enum { QUEUE_OPEN, QUEUE_CLOSING, QUEUE_DRAINING } state;
    void (*closed)(void *arg);
    void *closed_arg;
};

struct work_queue *work_queue_new(uv_loop_t *loop, int parallel, int waiting_max)
{
    must(parallel > 0 && waiting_max >= 0);
    struct work_queue *q = mem_new(struct work_queue);
    q->loop = loop;
    q->parallel = parallel;
    q->waiting_max = waiting_max;
    list_init(&q->waiting);
    list_init(&q->running);
    must(uv_timer_init(loop, &q->timer) == 0);
    q->timer.data = q;
    return q;
}

static void run(void *arg)
{
    struct work *w = arg;
    w->run(w);
}

static void on_run(uv_work_t *req)
{
    run(req->data);
}

static void start_next(struct work_queue *q);
static void free_when_drained(struct work_queue *q);

static void end(struct work *w, enum err err)
{
    struct work_queue *q = w->queue;
    list_unlink(&w->link);
    q->running_count--;
    start_next(q);
    /* The item may be freed by its owner in `done`; the queue is still ours. */
    w->done(w, err);
    free_when_drained(q);
}

static void on_ran(uv_work_t *req, int status)
{
    end(req->data, status == UV_ECANCELED ? ERR_CLOSED : OK);
}

static void on_worker_ran(void *arg)
{
    struct work_queue *q = arg;
    end(list_entry(list_first(&q->running), struct work, link), OK);
}

struct work_queue *work_queue_new_patient(uv_loop_t *loop, int waiting_max)
{
    struct work_queue *q = work_queue_new(loop, 1, waiting_max);
    q->worker = worker_new(loop, on_worker_ran, q);
    if (q->worker) return q;
    work_queue_close(q);
    return NULL;
}

static void start_next(struct work_queue *q)
{
    if (q->state != QUEUE_OPEN) return;
    while (q->running_count < q->parallel && q->waiting_count > 0) {
        struct work *w = list_entry(list_shift(&q->waiting), struct work, link);
        q->waiting_count--;
        q->running_count++;
        list_append(&q->running, &w->link);
        if (q->worker) worker_run(q->worker, run, w);
        else must(uv_queue_work(q->loop, &w->req, on_run, on_ran) == 0);
    }
}

enum err work_submit(struct work_queue *q, struct work *w)
{
    if (!q || q->state != QUEUE_OPEN) return ERR_CLOSED;
    bool starts = q->running_count < q->parallel;
    if (!starts && q->waiting_count >= q->waiting_max) return ERR_FULL;
    must(w->run && w->done);
    w->queue = q;
    w->req.data = w;
    list_append(&q->waiting, &w->link);
    q->waiting_count++;
    if (starts) start_next(q);
    return OK;
}

int work_queue_length(const struct work_queue *q)
{
    return q->running_count + q->waiting_count;
}

static void on_timer_closed(uv_handle_t *handle);

void work_queue_close_then(struct work_queue *q, void (*closed)(void *arg), void *arg)
{
    must(q->state == QUEUE_OPEN);
    q->closed = closed;
    q->closed_arg = arg;
    work_queue_close(q);
}

void work_queue_close(struct work_queue *q)
{
    if (q->state != QUEUE_OPEN) return;
    q->state = QUEUE_CLOSING;
    /* What a thread has already begun refuses to be cancelled, and is waited for. */
    list_each(&q->running, link) {
        if (!q->worker) uv_cancel((uv_req_t *) &list_entry(link, struct work, link)->req);
    }
    uv_close((uv_handle_t *) &q->timer, on_timer_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct work_queue *q = handle->data;
    struct list *link;
    while ((link = list_shift(&q->waiting))) {
        struct work *w = list_entry(link, struct work, link);
        q->waiting_count--;
        w->done(w, ERR_CLOSED);
    }
    q->state = QUEUE_DRAINING;
    free_when_drained(q);
}

static void free_queue(void *arg)
{
    struct work_queue *q = arg;
    void (*closed)(void *arg) = q->closed;
    void *closed_arg = q->closed_arg;
    mem_free(q);
    if (closed) closed(closed_arg);
}

static void free_when_drained(struct work_queue *q)
{
    if (q->state != QUEUE_DRAINING || q->running_count > 0) return;
    if (q->worker) worker_close(q->worker, free_queue, q);   /* nothing comes here again */
    else free_queue(q);
}
