#include "domain/gather/gather.h"

#include <string.h>

#include "core/must.h"

static void run_next(struct gather *g);

static void on_flush(struct turn_item *item)
{
    struct gather *g = list_entry(item, struct gather, flush);
    if (list_empty(&g->under_way)) run_next(g);
}

void gather_init(struct gather *g, struct app *app, const struct sql *sql, int fields)
{
    must(fields > 0 && fields <= GATHER_FIELDS_MAX);
    *g = (struct gather){ .app = app, .sql = sql, .fields = fields };
    list_init(&g->waiting);
    list_init(&g->alone);
    list_init(&g->under_way);
    arena_init(&g->arena);
    turn_item_init(&g->flush, on_flush);
}

void gather_fini(struct gather *g)
{
    must(list_empty(&g->waiting) && list_empty(&g->alone) && list_empty(&g->under_way));
    turn_cancel(&g->flush);
    arena_fini(&g->arena);
}

enum err gather_add(struct gather *g, struct gathered *row)
{
    if (g->waiting_count >= GATHER_WAITING_MAX) return ERR_FULL;
    if (!g->app->db) return ERR_CLOSED;
    if (!db_is_up(g->app->db)) return ERR_UNAVAILABLE;
    list_init(&row->link);
    list_append(&g->waiting, &row->link);
    g->waiting_count++;
    turn_defer(&g->app->turn, &g->flush);
    return OK;
}

/* Answers ---------------------------------------------------------------------------------------------- */

/* Which row of the answer each of the asked has. */
static void find_rows(const struct db_result *r, int *rows)
{
    for (int i = 0; i < GATHER_ROWS_MAX; i++) rows[i] = -1;
    int place = r ? db_columns(r) - 1 : 0;
    for (int i = 0; r && i < db_rows(r); i++) {
        int64_t at = db_cell_i64(r, i, place);
        must(at >= 1 && at <= GATHER_ROWS_MAX && rows[at - 1] < 0);
        rows[at - 1] = i;
    }
}

/* Those of the list may be gone, and others have come, when it returns. */
static void answer(struct list *asked, enum err err, const struct db_result *r)
{
    int rows[GATHER_ROWS_MAX], n = 0;
    struct list *link;
    find_rows(err == OK ? r : NULL, rows);
    while ((link = list_shift(asked))) {
        struct gathered *row = list_entry(link, struct gathered, link);
        row->done(row, err, r, rows[n++]);
    }
}

static bool is_of_one_row(enum err err, const struct db_result *r)
{
    const char *state = err == ERR_SQL ? db_sqlstate(r) : "";
    return strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0;
}

static void on_done(void *arg, enum err err, const struct db_result *r)
{
    struct gather *g = arg;
    struct list asked;
    list_init(&asked);
    list_move(&asked, &g->under_way);
    arena_fini(&g->arena);
    bool several = list_first(&asked) && list_first(&asked)->next != &asked;
    if (several && is_of_one_row(err, r)) list_move(&g->alone, &asked);
    else answer(&asked, err, r);
    if (!list_empty(&g->alone) || !list_empty(&g->waiting)) turn_defer(&g->app->turn, &g->flush);
}

/* Runs ------------------------------------------------------------------------------------------------- */

static int take(struct gather *g)
{
    struct list *link;
    if ((link = list_shift(&g->alone))) {
        list_append(&g->under_way, link);
        return 1;
    }
    int n = 0;
    while (n < GATHER_ROWS_MAX && (link = list_shift(&g->waiting))) {
        list_append(&g->under_way, link);
        n++;
    }
    g->waiting_count -= n;
    return n;
}

static enum err run(struct gather *g, int n)
{
    struct db_args args;
    struct str *cells = arena_raw(&g->arena, (size_t) n * sizeof *cells);
    db_args_init(&args, &g->arena);
    for (int field = 0; field < g->fields; field++) {
        int i = 0;
        list_each(&g->under_way, link) cells[i++] = list_entry(link, struct gathered, link)->fields[field];
        db_text_array(&args, cells, n);
    }
    return db_exec(g->app->db, g->sql, &args, on_done, g);
}

static void run_next(struct gather *g)
{
    int n = take(g);
    if (n == 0) return;
    enum err err = run(g, n);
    if (err != OK) on_done(g, err, NULL);
}
