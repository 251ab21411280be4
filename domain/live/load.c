/* Reading the tables into memory, chunk by chunk, one statement under way at a time so that the loop stays free. Every
 * entry takes only what is newer than what it has: own commits may be ahead of the chunk that is being read. */
#include "core/log.h"
#include "core/must.h"
#include "domain/live/live_private.h"
#include "domain/points/points.h"
#include "domain/rewards/rewards.h"
#include "sql.h"

struct load_step {
    const struct sql *sql;
    bool chunked; /* again from last_id until a chunk is not full */
    void (*take)(struct live *l, const struct db_result *r, int row);
};

static void take_user(struct live *l, const struct db_result *r, int row)
{
    int64_t id = db_cell_i64(r, row, 0), inbox_seq = db_cell_i64(r, row, 9);
    const struct person *known = book_person(&l->app->book, id);
    struct person p = {
        .id = id,
        .username = (char *) db_cell(r, row, 1).p,
        .name = (char *) db_cell(r, row, 2).p,
        .email = (char *) db_cell(r, row, 3).p,
        .is_admin = db_cell_bool(r, row, 4),
        .is_system = db_cell_bool(r, row, 5),
        .is_agent = db_cell_bool(r, row, 6),
        .is_active = db_cell_bool(r, row, 7),
        .tokens_from_us = db_cell_i64(r, row, 8),
        .inbox_seq = known ? known->inbox_seq : inbox_seq,
        .referrals = db_cell_i64(r, row, 11),
        .version = db_cell_i64(r, row, 12),
    };
    person_put_referral_code(&p, db_cell(r, row, 10));
    struct person *kept = book_put_person(&l->app->book, &p);
    l->last_id = id;
    if (kept->inbox_seq >= inbox_seq) return;
    if (push_wants_user(l->app->push, id)) missed_note(l, id, 0, kept->inbox_seq + 1, inbox_seq);
    else kept->inbox_seq = inbox_seq;
}

static void take_account(struct live *l, const struct db_result *r, int row)
{
    enum account_kind kind;
    enum asset asset;
    enum account_status status;
    must(account_kind_parse(db_cell(r, row, 2), &kind) && asset_parse(db_cell(r, row, 4), &asset) &&
         account_status_parse(db_cell(r, row, 5), &status));
    struct account a = {
        .id = db_cell_i64(r, row, 0),
        .owner = db_cell_i64(r, row, 1),
        .kind = (uint8_t) kind,
        .asset = (uint8_t) asset,
        .status = (uint8_t) status,
        .unbounded = db_cell_bool(r, row, 6),
        .balance = db_cell_i64(r, row, 7),
        .version = db_cell_i64(r, row, 8),
        .lifetime = db_cell_i64(r, row, 9),
        .created_us = db_cell_i64(r, row, 10),
        .updated_us = db_cell_i64(r, row, 11),
    };
    const struct account *known = book_account(&l->app->book, a.id);
    /* Opened while there was no stream: all of its events are missed ones. */
    a.pushed = known ? known->pushed : l->loaded ? 0 : a.version;
    struct account *kept = live_put_account(l, &a, db_cell(r, row, 3), db_cell(r, row, 12));
    l->last_id = a.id;
    if (!kept || kept->pushed >= a.version) return;
    if (push_wants_user(l->app->push, a.owner)) missed_note(l, a.owner, a.id, kept->pushed + 1, a.version);
    else kept->pushed = a.version;
}

static void take_revoked(struct live *l, const struct db_result *r, int row)
{
    auth_revoked(l->app->auth, db_cell(r, row, 0), db_cell_i64(r, row, 1));
}

static void take_levels(struct live *l, const struct db_result *r, int row)
{
    points_set_levels(l->app->points, db_cell(r, row, 0));
}

static void take_options(struct live *l, const struct db_result *r, int row)
{
    rewards_set_options(l->app->rewards, db_cell(r, row, 0));
}

static const struct load_step steps[] = {
    { &sql_live_load_users, true, take_user },
    { &sql_live_load_accounts, true, take_account },
    { &sql_live_load_revoked, false, take_revoked },
    { &sql_live_load_levels, false, take_levels },
    { &sql_live_load_options, false, take_options },
    { NULL, false, NULL },
};

static void read_chunk(struct live *l);

static void on_chunk(void *arg, enum err err, const struct db_result *r)
{
    struct live *l = arg;
    l->chunk_under_way = false;
    arena_fini(&l->chunk_args);
    if (l->state != LIVE_LOADING) return;
    if (!l->step) { /* started anew while this chunk was under way */
        load_start(l);
        return;
    }
    if (err != OK) {
        log_warn("live", "load_failed", "sql=%s err=%s message=%s", l->step->sql->name, err_info(err)->name,
                 LOG_STR(str_from(r ? db_message(r) : "")));
        wheel_set(l->app->wheel, &l->retry, RETRY_MS);
        return;
    }
    int rows = db_rows(r);
    for (int i = 0; i < rows; i++) l->step->take(l, r, i);
    if (!l->step->chunked || rows < CHUNK_ROWS) {
        l->step++;
        l->last_id = 0;
    }
    read_chunk(l);
}

static void read_chunk(struct live *l)
{
    struct db_args args;
    if (!l->step->sql) {
        missed_next(l);
        return;
    }
    arena_init(&l->chunk_args);
    db_args_init(&args, &l->chunk_args);
    if (l->step->chunked) {
        db_i64(&args, l->last_id);
        db_i64(&args, CHUNK_ROWS);
    }
    enum err err = db_exec(l->app->db, l->step->sql, &args, on_chunk, l);
    l->chunk_under_way = err == OK;
    if (err == OK) return;
    arena_fini(&l->chunk_args);
    wheel_set(l->app->wheel, &l->retry, RETRY_MS);
}

void load_start(struct live *l)
{
    load_stop(l);
    if (l->chunk_under_way) return; /* on_chunk starts anew */
    l->step = steps;
    l->last_id = 0;
    read_chunk(l);
}

void load_stop(struct live *l)
{
    wheel_cancel(&l->retry);
    missed_forget(l);
    buf_clear(&l->waiting);
    l->generation++;
    l->step = NULL;
}
