#include "domain/replay/replay.h"

#include "core/log.h"
#include "sql.h"

static int64_t cell_or_none(const struct db_result *r, int row, int column)
{
    return db_cell(r, row, column).p ? db_cell_i64(r, row, column) : INT64_MIN;
}

static void take_transfer(struct replay *replay, const struct db_result *r, int row)
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
    replay->on_transfer(replay, &e, e.debit == replay->account ? e.debit_version : e.credit_version);
}

static void on_rows(void *arg, enum err err, const struct db_result *r)
{
    struct replay *replay = arg;
    if (err == ERR_SQL) log_error("replay", "failed", "message=%s", LOG_STR(str_from(db_message(r))));
    for (int i = 0; err == OK && i < db_rows(r); i++) {
        if (replay->account) take_transfer(replay, r, i);
        else replay->on_inbox(replay, db_cell_i64(r, i, 0), db_cell(r, i, 1), db_cell(r, i, 2), db_cell_i64(r, i, 3));
    }
    arena_fini(&replay->args);
    replay->done(replay, err);
}

enum err replay_start(struct replay *r)
{
    struct db_args args;
    arena_init(&r->args);
    db_args_init(&args, &r->args);
    db_i64(&args, r->account ? r->account : r->user);
    db_i64(&args, r->first);
    db_i64(&args, r->last);
    enum err err = db_exec(r->app->db, r->account ? &sql_replay_transfers : &sql_replay_inbox, &args, on_rows, r);
    if (err != OK) arena_fini(&r->args);
    return err;
}
