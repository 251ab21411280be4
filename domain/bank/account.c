/* BANK-03, 04, 05, 24, 25: accounts. Reads come from the book. */
#include "domain/auth/auth.h"
#include "domain/bank/bank_private.h"
#include "domain/bank/fresh.h"
#include "domain/live/live.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { ACCOUNT_JSON_MAX = 512, LIST_JSON_MAX = 100 * ACCOUNT_JSON_MAX };

static void put_account(struct buf *b, const struct app *app, const struct account *a)
{
    json_open(b, '{');
    json_key(b, STR("_id"));
    pid_json(b, &app->pids, PID_ACCOUNT, a->id);
    json_key(b, STR("user"));
    pid_json(b, &app->pids, PID_USER, a->owner);
    json_key(b, STR("status"));
    json_string(b, account_status_name(a->status));
    json_key(b, STR("currency"));
    json_string(b, str_from(app->settings->currency));
    json_key(b, STR("balance"));
    json_money(b, a->balance);
    json_key(b, STR("createdAt"));
    json_time(b, a->created_us);
    json_key(b, STR("updatedAt"));
    json_time(b, a->updated_us);
    json_close(b, '}');
}

static void reply_account(struct http_request *req, int status, struct str message, const struct account *a)
{
    struct buf b;
    buf_init(&b, 2 * ACCOUNT_JSON_MAX);
    json_open(&b, '{');
    if (message.p) {
        json_key(&b, STR("message"));
        json_string(&b, message);
    }
    json_key(&b, STR("account"));
    put_account(&b, app_of(req), a);
    json_close(&b, '}');
    reply_json(req, status, buf_view(&b));
    buf_fini(&b);
}

/* BANK-03 */

static void on_opened(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    struct app *app = app_of(req);
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str message = db_cell(r, 0, 0);
    if (!message.p) {
        reply_error(req, 409, "Account limit reached");
        return;
    }
    const struct account *a = live_apply_own(app->live, message);
    if (a) reply_account(req, 201, STR("Account created successfully"), a);
    else reply_err(req, ERR_INTERNAL);
}

void bank_account_open(struct http_request *req)
{
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_i64(&args, caller_of(req)->user);
    enum err err = db_exec(app_of(req)->db, &sql_bank_account_open, &args, on_opened, req);
    if (err != OK) reply_err(req, err);
}

/* BANK-04 */

static void list(struct http_request *req)
{
    struct app *app = app_of(req);
    const struct person *person = book_person(&app->book, caller_of(req)->user);
    const struct account *first = NULL;
    struct buf b;
    buf_init(&b, LIST_JSON_MAX);
    json_open(&b, '{');
    json_key(&b, STR("accounts"));
    json_open(&b, '[');
    for (const struct account *a = person ? person->accounts : NULL; a; a = a->next) {
        if (a->kind != ACCOUNT_BANK) continue;
        if (!first) first = a;
        put_account(&b, app, a);
    }
    json_close(&b, ']');
    json_key(&b, STR("account"));
    if (first) put_account(&b, app, first);
    else json_null(&b);
    json_close(&b, '}');
    reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}

void bank_account_list(struct http_request *req)
{
    fresh_accounts_of(req, caller_of(req)->user, list);
}

/* The path's account when it is the caller's; otherwise the request is answered and the result NULL. */
static const struct account *own_account(struct http_request *req)
{
    const struct account *a = book_account(&app_of(req)->book, req->values[0].i);
    if (!a || a->kind != ACCOUNT_BANK) {
        reply_error(req, 404, "Account not found");
        return NULL;
    }
    if (a->owner != caller_of(req)->user) {
        reply_error(req, 403, "This account does not belong to you");
        return NULL;
    }
    return a;
}

/* BANK-05 */

static void balance(struct http_request *req)
{
    char text[256];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    const struct account *a = own_account(req);
    if (!a) return;
    json_open(&b, '{');
    json_key(&b, STR("accountId"));
    pid_json(&b, &app_of(req)->pids, PID_ACCOUNT, a->id);
    json_key(&b, STR("balance"));
    json_money(&b, a->balance);
    json_key(&b, STR("currency"));
    json_string(&b, str_from(app_of(req)->settings->currency));
    json_close(&b, '}');
    reply_json(req, 200, buf_view(&b));
}

void bank_account_balance(struct http_request *req)
{
    fresh_account(req, req->values[0].i, balance);
}

/* BANK-24 */

static void show(struct http_request *req)
{
    const struct account *a = own_account(req);
    if (a) reply_account(req, 200, STR_NONE, a);
}

void bank_account_get(struct http_request *req)
{
    fresh_account(req, req->values[0].i, show);
}

/* BANK-25 */

static void on_status(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str message = db_cell(r, 0, 0);
    const struct account *a = message.p ? live_apply_own(app_of(req)->live, message) : NULL;
    if (a) reply_account(req, 200, STR("Account status updated"), a);
    else if (db_cell_bool(r, 0, 1)) reply_error(req, 400, "Account balance must be 0 to close it");
    else reply_error(req, 404, "Account not found");
}

void bank_account_status(struct http_request *req)
{
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_i64(&args, req->values[0].i);
    db_text(&args, req->values[1].s);
    enum err err = db_exec(app_of(req)->db, &sql_bank_account_status, &args, on_status, req);
    if (err != OK) reply_err(req, err);
}

/* BANK-22 with an account: it must be the caller's. */

static void list_of_own(struct http_request *req)
{
    if (own_account(req)) sql_endpoint_run_as(req, &sql_bank_transaction_list);
}

void bank_transaction_list(struct http_request *req)
{
    if (req->values[0].set) fresh_account(req, req->values[0].i, list_of_own);
    else sql_endpoint_run_as(req, &sql_bank_transaction_list);
}
