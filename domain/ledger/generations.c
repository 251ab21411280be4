#include "domain/ledger/generations.h"

#include <string.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/ledger/private.h"
#include "sql.h"

enum { IDS = 1 << 20 };           /* of transfers, until a generation is closed */

void generations_init(struct generations *g, struct ledger *l)
{
    *g = (struct generations){ .ledger = l };
    filters_init(g);
}

static void forget(struct generations *g, int from)
{
    for (int i = from; i < g->count; i++) bloom_fini(&g->closed[i].filter);
    if (g->count > from) g->count = from;
}

void generations_fini(struct generations *g)
{
    must(!g->reading && !g->job.busy);
    forget(g, 0);
    mem_free(g->closed);
}

/* Reading ------------------------------------------------------------------------------------- */

enum { NUMBER, FROM_ID, CLOSED };

/* A filter that is there is of the same generation only if that was closed at the same moment: a database that was set
 * back to an older state may have closed it again, with other keys in it. */
static void take_closed(struct generations *g, const struct db_result *r, int i)
{
    int64_t closed_us = db_cell_i64(r, i, CLOSED);
    if (i < g->count && g->closed[i].closed_us != closed_us) forget(g, i);
    if (i < g->count) return;
    if (g->count == g->cap) {
        g->cap = g->cap ? g->cap * 2 : 16;
        g->closed = mem_realloc(g->closed, (size_t) g->cap * sizeof *g->closed);
    }
    g->closed[g->count++] = (struct generation){ .from_id = db_cell_i64(r, i, FROM_ID), .closed_us = closed_us };
}

static bool is_sound(const struct db_result *r)
{
    int rows = db_rows(r);
    for (int i = 0; i < rows; i++) {
        if (db_cell_i64(r, i, NUMBER) != i || (db_cell_i64(r, i, CLOSED) == 0) != (i == rows - 1)) return false;
    }
    return rows > 0;
}

static void take(struct generations *g, const struct db_result *r)
{
    int open = db_rows(r) - 1;
    g->sound = is_sound(r);
    if (!g->sound) return;
    for (int i = 0; i < open; i++) take_closed(g, r, i);
    forget(g, open);
    g->from_id = db_cell_i64(r, open, FROM_ID);
    struct meters *m = g->ledger->meters;
    m->generations.value = g->count + 1;
    m->unfiltered.value = 0;
    for (int i = 0; i < g->count; i++) m->unfiltered.value += !g->closed[i].filtered;
}

static void on_rows(void *arg, enum err err, const struct db_result *r)
{
    struct generations *g = arg;
    if (err == OK) take(g, r);
}

static void on_end(void *arg, enum err err, const struct db_result *r)
{
    struct generations *g = arg;
    (void) r;
    g->reading = false;
    arena_fini(&g->arena);
    if (err == OK && !g->sound) log_error("ledger", "the generations of the keys are damaged", "table=key_generation");
    g->known = err == OK && g->sound;
    if (!g->known) return;        /* read again at the next tick, or on the next connection */
    filters_next(g);
    ledger_pump(g->ledger);
}

static void read_after(struct generations *g, const struct sql *first)
{
    struct db_args args;
    struct db_unit *unit;
    g->known = g->sound = false;
    if (g->reading || db_begin(g->ledger->db, &unit, on_end, g) != OK) return;
    g->reading = true;
    arena_init(&g->arena);
    db_args_init(&args, &g->arena);
    if (first) {
        db_i64(&args, g->count);
        db_stmt(unit, first, &args, NULL, NULL);
        db_args_init(&args, &g->arena);
    }
    db_stmt(unit, &sql_ledger_generations, &args, on_rows, g);
    db_sync(unit, on_end, g);
}

void generations_read(struct generations *g)
{
    read_after(g, NULL);
}

void generations_turn(struct generations *g, int64_t next_id)
{
    if (!g->known || next_id - g->from_id < IDS || next_id - g->tried_id < ID_BLOCK) return;
    g->tried_id = next_id;
    read_after(g, &sql_ledger_generation_close);
}

/* Keys ---------------------------------------------------------------------------------------- */

static void stamp(int generation, const struct posting *p, uint8_t out[16])
{
    memcpy(out, p->idem, 16);
    out[0] = (uint8_t) (generation >> 16);
    out[1] = (uint8_t) (generation >> 8);
    out[2] = (uint8_t) generation;
}

void generations_stamp(const struct generations *g, const struct posting *p, uint8_t out[16])
{
    stamp(g->count, p, out);
}

int generations_places(const struct generations *g, const struct posting *p, struct buf *out)
{
    uint64_t hash = filters_hash(p->idem);
    int n = 0;
    for (int i = 0; i < g->count; i++) {
        if (g->closed[i].filtered) bloom_prefetch(&g->closed[i].filter, hash);
    }
    for (int i = 0; i < g->count; i++) {
        uint8_t idem[16];
        if (g->closed[i].filtered && !bloom_perhaps(&g->closed[i].filter, hash)) continue;
        stamp(i, p, idem);
        buf_put(out, idem, sizeof idem);
        n++;
    }
    return n;
}
