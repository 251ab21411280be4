/* What connected users missed while there was no stream: read from the tables and pushed, one stream of events after the other, before
 * anything newer. Whoever missed too much is asked to come again with his cursor. */
#include "core/log.h"
#include "core/mem.h"
#include "domain/live/live_private.h"
#include "sql.h"

void missed_note(struct live *l, int64_t user, int64_t account, int64_t first, int64_t last)
{
    struct missed *m = mem_new(struct missed);
    *m = (struct missed){ .live = l, .user = user, .account = account, .first = first, .last = last };
    list_append(&l->missed, &m->link);
}

static void drop(struct missed *m)
{
    list_unlink(&m->link);
    arena_fini(&m->arena);
    mem_free(m);
}

void missed_forget(struct live *l)
{
    list_each(&l->missed, it) drop(list_entry(it, struct missed, link));
}

static int64_t cell_or_none(const struct db_result *r, int row, int column)
{
    return db_cell(r, row, column).p ? db_cell_i64(r, row, column) : INT64_MIN;
}

static void push_row(struct live *l, const struct db_result *r, int row, struct account *a)
{
    struct ledger_event e = {
        .transfer = db_cell_i64(r, row, 0),
        .posting = db_cell_i64(r, row, 1),
        .kind = db_cell(r, row, 2),
        .debit = db_cell_i64(r, row, 3),
        .credit = db_cell_i64(r, row, 4),
        .amount = db_cell_i64(r, row, 5),
        .debit_after = cell_or_none(r, row, 6),
        .debit_version = cell_or_none(r, row, 7),
        .credit_after = cell_or_none(r, row, 8),
        .credit_version = cell_or_none(r, row, 9),
        .lifetime_after = cell_or_none(r, row, 10),
        .at_us = db_cell_i64(r, row, 11),
        .reference_type = db_cell(r, row, 12),
        .reference_id = db_cell(r, row, 13),
        .metadata = db_cell(r, row, 14),
    };
    a->pushed = e.debit == a->id ? e.debit_version : e.credit_version;
    push_transfer(l->app->push, &e, a);
}

static void push_rows(struct missed *m, const struct db_result *r)
{
    struct live *l = m->live;
    struct account *a = m->account ? book_account(&l->app->book, m->account) : NULL;
    struct person *p = book_person(&l->app->book, m->user);
    for (int i = 0; i < db_rows(r); i++) {
        if (a) {
            push_row(l, r, i, a);
        } else if (p) {
            p->inbox_seq = db_cell_i64(r, i, 0);
            push_inbox(l->app->push, p, p->inbox_seq, db_cell(r, i, 1), db_cell(r, i, 2), db_cell_i64(r, i, 3));
        }
    }
}

static void on_rows(void *arg, enum err err, const struct db_result *r)
{
    struct missed *m = arg;
    struct live *l = m->live;
    bool current = m->generation == l->generation && l->state == LIVE_LOADING;
    if (current && err == OK) push_rows(m, r);
    if (current && err != OK) wheel_set(l->app->wheel, &l->retry, RETRY_MS);
    drop(m);
    if (current && err == OK) missed_next(l);
}

/* Too much for a socket that has waited: its user comes again and gets a snapshot. */
static void restart(struct missed *m)
{
    struct live *l = m->live;
    struct account *a = m->account ? book_account(&l->app->book, m->account) : NULL;
    struct person *p = book_person(&l->app->book, m->user);
    push_restart_user(l->app->push, m->user);
    if (a) a->pushed = m->last;
    else if (p) p->inbox_seq = m->last;
    drop(m);
}

void missed_next(struct live *l)
{
    while (!list_empty(&l->missed)) {
        struct missed *m = list_entry(list_first(&l->missed), struct missed, link);
        if (m->last - m->first >= MISSED_MAX) {
            restart(m);
            continue;
        }
        struct db_args args;
        db_args_init(&args, &m->arena);
        db_i64(&args, m->account ? m->account : m->user);
        db_i64(&args, m->first);
        db_i64(&args, m->last);
        m->generation = l->generation;
        const struct sql *sql = m->account ? &sql_live_missed_transfers : &sql_live_missed_inbox;
        list_unlink(&m->link);   /* belongs to the statement now */
        if (db_exec(l->app->db, sql, &args, on_rows, m) == OK) return;
        drop(m);
        wheel_set(l->app->wheel, &l->retry, RETRY_MS);
        return;
    }
    live_caught_up(l);
}
