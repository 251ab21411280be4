/* The filters of closed generations: read where another process has kept one, else made from the keys, some at a time
 * and one statement after the other, on a connection that is not the ledger's where there is one. Until a filter is
 * whole the keys of its generation are asked for, so nothing waits for it. */
#include <string.h>

#include "core/digest.h"
#include "core/log.h"
#include "core/must.h"
#include "domain/ledger/private.h"
#include "sql.h"

enum { AGAIN_MS = 1000, SLACK = 1 << 14 };

/* Not all keys are hashes: those of postings without one of a client's are numbers. */
uint64_t filters_hash(const uint8_t idem[16])
{
    uint64_t a, b;
    memcpy(&a, idem + 3, sizeof a);
    memcpy(&b, idem + 8, sizeof b);
    a ^= b * 0x9e3779b97f4a7c15;
    a = (a ^ (a >> 32)) * 0xd6e8feb86659fd93;
    return a ^ (a >> 32);
}

static void on_again(struct wheel_timer *t)
{
    struct filter_job *job = (struct filter_job *) ((char *) t - offsetof(struct filter_job, again));
    filters_next((struct generations *) ((char *) job - offsetof(struct generations, job)));
}

void filters_init(struct generations *g)
{
    wheel_timer_init(&g->job.again, on_again);
}

void filters_stop(struct generations *g)
{
    wheel_cancel(&g->job.again);
}

/* The generation whose filter is being made; NULL when it is not there any more, see take_closed. */
static struct generation *subject(struct generations *g)
{
    const struct filter_job *job = &g->job;
    if (job->number >= g->count || g->closed[job->number].closed_us != job->closed_us) return NULL;
    return &g->closed[job->number];
}

static void ask(struct generations *g, const struct sql *sql, struct db_args *args, db_done done)
{
    struct db *db = g->ledger->options.db ? g->ledger->options.db : g->ledger->db;
    g->job.busy = db_exec(db, sql, args, done, g) == OK;
    if (!g->job.busy) done(g, ERR_UNAVAILABLE, NULL);
}

static void start_args(struct generations *g, struct db_args *args)
{
    arena_init(&g->job.arena);
    db_args_init(args, &g->job.arena);
}

/* A step has ended. False: not well, or for nothing; it is tried again later, from the beginning. */
static bool goes_on(struct generations *g, enum err err)
{
    struct ledger *l = g->ledger;
    g->job.busy = false;
    arena_fini(&g->job.arena);
    if (err == OK && !l->closing && subject(g)) return true;
    bloom_fini(&g->job.filter);
    if (l->closing) ledger_pump(l);
    else wheel_set(l->options.wheel, &g->job.again, AGAIN_MS);
    return false;
}

/* Only now it answers for its generation. */
static void adopt(struct generations *g)
{
    struct generation *of = subject(g);
    of->filter = g->job.filter;
    of->filtered = true;
    g->job.filter = (struct bloom){ 0 };
    g->ledger->meters->unfiltered.value--;
}

static void on_kept(void *arg, enum err err, const struct db_result *r)
{
    (void) r;
    if (goes_on(arg, err)) filters_next(arg);
}

static void keep(struct generations *g)
{
    const struct generation *of = subject(g);
    struct db_args args;
    start_args(g, &args);
    db_i64(&args, g->job.number);
    db_bytes(&args, bloom_bytes(&of->filter));
    ask(g, &sql_ledger_filter_keep, &args, on_kept);
}

static void ask_keys(struct generations *g);

static void on_keys(void *arg, enum err err, const struct db_result *r)
{
    struct generations *g = arg;
    struct filter_job *job = &g->job;
    if (!goes_on(g, err)) return;
    for (int i = 0; i < db_rows(r); i++) {
        uint8_t idem[16];
        must(hex_decode(db_cell(r, i, 0), idem, sizeof idem));
        bloom_add(&job->filter, filters_hash(idem));
    }
    if (db_rows(r) == 0) {
        log_debug("ledger", "filter made", "generation=%d bytes=%zu", job->number, bloom_bytes(&job->filter).n);
        adopt(g);
        keep(g);
        return;
    }
    struct str last = db_cell(r, db_rows(r) - 1, 0);
    must(last.n == sizeof job->last - 1);
    memcpy(job->last, last.p, last.n);
    ask_keys(g);
}

static void ask_keys(struct generations *g)
{
    struct db_args args;
    start_args(g, &args);
    db_text(&args, (struct str){ g->job.last, sizeof g->job.last - 1 });
    db_text(&args, arena_printf(&g->job.arena, "%06x%026d", (unsigned) g->job.number + 1, 0));
    ask(g, &sql_ledger_filter_keys, &args, on_keys);
}

/* About as many keys as ids were given out while it was open; a few more by processes that still had some. */
static void make(struct generations *g)
{
    struct filter_job *job = &g->job;
    int64_t until = job->number + 1 < g->count ? g->closed[job->number + 1].from_id : g->from_id;
    bloom_init(&job->filter, until - g->closed[job->number].from_id + SLACK);
    snprintf(job->last, sizeof job->last, "%06x%026d", (unsigned) job->number, 0);
    ask_keys(g);
}

static void on_filter(void *arg, enum err err, const struct db_result *r)
{
    struct generations *g = arg;
    if (!goes_on(g, err)) return;
    if (db_rows(r) == 1 && db_cell(r, 0, 0).p && bloom_read(&g->job.filter, db_cell(r, 0, 0))) {
        adopt(g);
        filters_next(g);
    } else {
        make(g);
    }
}

void filters_next(struct generations *g)
{
    struct filter_job *job = &g->job;
    struct db_args args;
    if (job->busy || wheel_is_set(&job->again) || g->ledger->closing) return;
    job->number = 0;
    while (job->number < g->count && g->closed[job->number].filtered) job->number++;
    if (job->number == g->count) return;
    job->closed_us = g->closed[job->number].closed_us;
    start_args(g, &args);
    db_i64(&args, job->number);
    ask(g, &sql_ledger_filter_read, &args, on_filter);
}
