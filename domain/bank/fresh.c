#include "domain/bank/fresh.h"

#include "domain/live/live.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

struct reading {
    struct http_request *req;
    void (*then)(struct http_request *req);
};

static void on_rows(void *arg, enum err err, const struct db_result *r)
{
    struct reading *reading = arg;
    struct app *app = app_of(reading->req);
    if (err == ERR_SQL || (err != OK && !live_memory_is_good(app->live))) {
        sql_endpoint_failed(reading->req, err, r);
        return;
    }
    for (int i = 0; err == OK && i < db_rows(r); i++) live_apply_own(app->live, db_cell(r, i, 0));
    reading->then(reading->req);
}

static void read_tables(struct http_request *req, int64_t account, int64_t user, void (*then)(struct http_request *req))
{
    struct reading *reading = arena_new(&req->arena, struct reading);
    struct db_args args;
    *reading = (struct reading){ req, then };
    db_args_init(&args, &req->arena);
    if (account) db_i64(&args, account);
    else db_null(&args);
    if (user) db_i64(&args, user);
    else db_null(&args);
    enum err err = db_exec(app_of(req)->db, &sql_bank_account_read, &args, on_rows, reading);
    if (err != OK) reply_err(req, err);
}

void fresh_account(struct http_request *req, int64_t account, void (*then)(struct http_request *req))
{
    struct app *app = app_of(req);
    bool known = book_account(&app->book, account) != NULL;
    bool away = !db_is_up(app->db) && live_was_loaded(app->live);
    if (account < 0 || away || (known && live_memory_is_good(app->live))) then(req);
    else read_tables(req, account, 0, then);
}

void fresh_accounts_of(struct http_request *req, int64_t user, void (*then)(struct http_request *req))
{
    const struct person *person = book_person(&app_of(req)->book, user);
    bool known = person && person->accounts;   /* everybody has some; another process's of a moment ago not yet */
    if (known && live_memory_is_good(app_of(req)->live)) then(req);
    else read_tables(req, 0, user, then);
}
