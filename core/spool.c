#include "core/spool.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "core/outbox.h"
#include "core/work.h"

enum { KEPT = 1000, PRUNE_EVERY = 50, NAME_BYTES = 128, NAME_PART_MAX = 40 };

struct spool {
    struct work_queue *queue;
    char *dir;
    unsigned written;           /* since pruning, beginning with a pruning */
    int under_way, parallel_max;
    bool closing;
};

struct sheet {
    struct work work;           /* the pool touches only what follows, and the directory's name */
    struct spool *spool;
    char name[NAME_BYTES];
    char *content;
    size_t size;
    bool prune;
    int error;                  /* errno; 0: written */
    void (*done)(void *arg, enum err err);
    void *arg;
};

struct spool *spool_new(uv_loop_t *loop, const char *dir, int parallel_max)
{
    if (!outbox_make_dir(dir)) return NULL;
    struct spool *s = mem_new(struct spool);
    size_t n = strlen(dir) + 1;
    s->dir = memcpy(mem_alloc(n), dir, n);
    s->parallel_max = parallel_max;
    s->queue = work_queue_new(loop, 1, parallel_max);
    return s;
}

static void free_when_drained(struct spool *s)
{
    if (!s->closing || s->under_way) return;
    mem_free(s->dir);
    mem_free(s);
}

static void on_write(struct work *w)
{
    struct sheet *sheet = list_entry(w, struct sheet, work);
    struct str content = { sheet->content, sheet->size };
    sheet->error = outbox_write(sheet->spool->dir, sheet->name, content) ? 0 : errno;
    if (sheet->prune) outbox_prune(sheet->spool->dir, ".json", KEPT);
}

static void on_written(struct work *w, enum err err)
{
    struct sheet *sheet = list_entry(w, struct sheet, work);
    struct spool *s = sheet->spool;
    if (err == OK && sheet->error) {
        log_warn("spool", "not_written", "file=%s errno=%d", sheet->name, sheet->error);
        err = ERR_UNAVAILABLE;
    }
    s->under_way--;
    sheet->done(sheet->arg, err);
    mem_free(sheet->content);
    mem_free(sheet);
    free_when_drained(s);
}

/* 20260209T100000.123Z-6281234567.json sorts by time. Two of the same millisecond are told apart by a number. */
static void name_sheet(struct sheet *sheet, struct str name, unsigned number)
{
    char iso[CLOCK_ISO_BYTES], time[CLOCK_ISO_BYTES + 1] = { 0 }, part[NAME_PART_MAX + 1] = { 0 };
    int n = 0;
    clock_iso(clock_wall_us(), iso);
    for (int i = 0; i < CLOCK_ISO_BYTES; i++) {
        if (iso[i] != '-' && iso[i] != ':') time[n++] = iso[i];
    }
    n = 0;
    for (size_t i = 0; i < name.n && n < NAME_PART_MAX; i++) {
        if (isalnum((unsigned char) name.p[i]) || name.p[i] == '-') part[n++] = name.p[i];
    }
    snprintf(sheet->name, sizeof sheet->name, "%s-%06u-%s.json", time, number % 1000000, part);
}

enum err spool_write(struct spool *s, struct str name, struct str content, void (*done)(void *arg, enum err err),
                     void *arg)
{
    if (s->closing) return ERR_CLOSED;
    if (s->under_way >= s->parallel_max) return ERR_FULL;
    struct sheet *sheet = mem_new(struct sheet);
    sheet->spool = s;
    sheet->content = memcpy(mem_alloc(content.n + 1), content.p, content.n);
    sheet->size = content.n;
    sheet->prune = s->written % PRUNE_EVERY == 0;
    sheet->done = done;
    sheet->arg = arg;
    sheet->work.run = on_write;
    sheet->work.done = on_written;
    name_sheet(sheet, name, s->written++);
    s->under_way++;
    must(work_submit(s->queue, &sheet->work) == OK);   /* the queue has room for parallel_max */
    return OK;
}

void spool_close(struct spool *s)
{
    must(!s->closing);
    s->closing = true;
    work_queue_close(s->queue);
    free_when_drained(s);
}
