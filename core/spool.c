#include "core/spool.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/filer.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"

enum { NAME_PART_MAX = 40 };

struct spool {
    struct filer *filer;
    unsigned written;
    int under_way, parallel_max;
    bool closing;
};

struct sheet {
    struct filing filing;
    struct spool *spool;
    char *content;
    void (*done)(void *arg, enum err err);
    void *arg;
};

struct spool *spool_new(uv_loop_t *loop, const char *dir, int parallel_max)
{
    struct filer *filer = filer_new(loop, dir, ".json");
    if (!filer) return NULL;
    struct spool *s = mem_new(struct spool);
    s->filer = filer;
    s->parallel_max = parallel_max;
    return s;
}

static void free_when_drained(struct spool *s)
{
    if (s->closing && !s->under_way) mem_free(s);
}

static void on_written(struct filing *filing, enum err err)
{
    struct sheet *sheet = list_entry(filing, struct sheet, filing);
    struct spool *s = sheet->spool;
    if (err == ERR_UNAVAILABLE) log_warn("spool", "not_written", "file=%s errno=%d", filing->name, filing->error);
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
    snprintf(sheet->filing.name, sizeof sheet->filing.name, "%s-%06u-%s.json", time, number % 1000000, part);
}

enum err spool_write(struct spool *s, struct str name, struct str content, void (*done)(void *arg, enum err err),
                     void *arg)
{
    if (s->closing) return ERR_CLOSED;
    if (s->under_way >= s->parallel_max) return ERR_FULL;
    struct sheet *sheet = mem_new(struct sheet);
    sheet->spool = s;
    sheet->content = memcpy(mem_alloc(content.n + 1), content.p, content.n);
    sheet->filing.content = (struct str){ sheet->content, content.n };
    sheet->filing.done = on_written;
    sheet->done = done;
    sheet->arg = arg;
    name_sheet(sheet, name, s->written++);
    s->under_way++;
    must(filer_write(s->filer, &sheet->filing) == OK);   /* it is closed with us */
    return OK;
}

void spool_close(struct spool *s)
{
    must(!s->closing);
    s->closing = true;
    filer_close(s->filer);
    free_when_drained(s);
}
