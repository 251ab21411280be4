/* A statement that many requests run at the same moment, run once for all of them. What comes while one run is under
 * way waits and goes with the next, as arrays: one plan, one commit, one flush to disk. A row that comes alone goes at
 * the end of its turn of the loop, so nobody waits for company.
 *
 * The statement takes a text[] for each field, all of one length, and its rows end with the column `place`: which of
 * the asked, from 1, the row is about; at most one row for each. When the data of one row is refused (SQLSTATE 22…,
 * 23…), all of that run are tried again one by one, so that none pays for another. */
#pragma once

#include "domain/app.h"

enum { GATHER_FIELDS_MAX = 12, GATHER_ROWS_MAX = 256, GATHER_WAITING_MAX = 16384 };

/* One of the asked; lives, with its texts, until `done`. */
struct gathered {
    struct list link;
    struct str fields[GATHER_FIELDS_MAX];   /* p == NULL: NULL */
    /* As db_done. `row`: its row in r, or -1 when it has none. */
    void (*done)(struct gathered *g, enum err err, const struct db_result *r, int row);
    void *arg;
};

struct gather {
    struct app *app;
    const struct sql *sql;
    int fields, waiting_count;
    struct list waiting, alone, under_way;   /* alone: to be tried one by one */
    struct arena arena;                      /* of the run under way */
    struct turn_item flush;
};

void gather_init(struct gather *g, struct app *app, const struct sql *sql, int fields);
/* After the database was closed: nobody waits any more then. */
void gather_fini(struct gather *g);
/* OK: done comes once, later. ERR_FULL, or what db_exec says at once: it will not come. */
enum err gather_add(struct gather *g, struct gathered *row);
