/* At most one group is with the pool; what comes meanwhile waits and is the next one. The timer is the "next turn": of
 * the start of a group, so that all that comes in one turn goes together, and, by its close callback, of the end. */
#include "core/filer.h"

#include <string.h>

#include "core/mem.h"
#include "core/must.h"
#include "core/outbox.h"
#include "core/work.h"

enum { GROUP_MAX = 64, KEPT = 1000, PRUNE_EVERY = 50 };

struct filer {
    uv_timer_t timer;
    struct work_queue *queue;
    struct list waiting;
    unsigned unpruned;            /* files since pruning */
    bool writing, closing, timer_closed;
    /* The group; while it is being written this is the pool's. */
    struct work work;
    char *dir;
    const char *suffix;
    struct filing *filings[GROUP_MAX];
    struct outbox_file files[GROUP_MAX];
    int count;
    bool prune;
};

static void free_when_drained(struct filer *f)
{
    if (!f->timer_closed || f->writing) return;
    mem_free(f->dir);
    mem_free(f);
}

static void on_write(struct work *w)
{
    struct filer *f = list_entry(w, struct filer, work);
    outbox_write_all(f->dir, f->files, f->count);
    if (f->prune) outbox_prune(f->dir, f->suffix, KEPT);
}

static void start_group(struct filer *f);

static void on_written(struct work *w, enum err err)
{
    struct filer *f = list_entry(w, struct filer, work);
    for (int i = 0; i < f->count; i++) {
        struct filing *filing = f->filings[i];
        filing->error = f->files[i].error;
        filing->done(filing, err == OK && filing->error ? ERR_UNAVAILABLE : err);
    }
    f->writing = false;
    start_group(f);
    free_when_drained(f);
}

static void start_group(struct filer *f)
{
    struct list *link;
    if (f->writing || f->closing) return;
    f->count = 0;
    while (f->count < GROUP_MAX && (link = list_shift(&f->waiting))) {
        struct filing *filing = list_entry(link, struct filing, link);
        f->files[f->count] = (struct outbox_file){ .name = filing->name, .content = filing->content };
        f->filings[f->count++] = filing;
    }
    if (f->count == 0) return;
    f->prune = f->unpruned >= PRUNE_EVERY;
    f->unpruned = (f->prune ? 0 : f->unpruned) + (unsigned) f->count;
    f->writing = true;
    must(work_submit(f->queue, &f->work) == OK);   /* there is never another one */
}

static void on_turn(uv_timer_t *timer)
{
    start_group(timer->data);
}

enum err filer_write(struct filer *f, struct filing *filing)
{
    if (f->closing) return ERR_CLOSED;
    filing->error = 0;
    list_init(&filing->link);
    list_append(&f->waiting, &filing->link);
    if (!f->writing) uv_timer_start(&f->timer, on_turn, 0, 0);
    return OK;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct filer *f = handle->data;
    struct list *link;
    while ((link = list_shift(&f->waiting))) {
        struct filing *filing = list_entry(link, struct filing, link);
        filing->done(filing, ERR_CLOSED);
    }
    f->timer_closed = true;
    free_when_drained(f);
}

void filer_close(struct filer *f)
{
    must(!f->closing);
    f->closing = true;
    work_queue_close(f->queue);
    uv_close((uv_handle_t *) &f->timer, on_timer_closed);
}

struct filer *filer_new(uv_loop_t *loop, const char *dir, const char *suffix)
{
    if (!outbox_make_dir(dir)) return NULL;
    struct filer *f = mem_new(struct filer);
    size_t n = strlen(dir) + 1;
    f->dir = memcpy(mem_alloc(n), dir, n);
    f->suffix = suffix;
    f->unpruned = PRUNE_EVERY;                     /* others may have left too many */
    f->queue = work_queue_new(loop, 1, 1);
    f->work.run = on_write;
    f->work.done = on_written;
    list_init(&f->waiting);
    must(uv_timer_init(loop, &f->timer) == 0);
    f->timer.data = f;
    return f;
}
