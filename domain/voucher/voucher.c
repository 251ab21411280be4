/* USR-30, 31, 67, 68. What refuses a redemption is looked at first, for the answer; what decides it is the guard
 * of the posting, under the voucher's lock: it counts the use while there is one left. The redemption's row
 * and the transfer are committed with it, or none of them. */
#include "domain/voucher/voucher.h"

#include <string.h>

#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { USERNAME, CODE };   /* the fields of USR-30 */
enum { REDEMPTION_VOUCHER, REDEMPTION_USER, REDEMPTION_AMOUNT, REDEMPTION_FIELDS };

struct redemption {
    struct posting posting;
    struct db_args guard_args;
    struct http_request *req;
    struct str username, code;
    bool over;
};

#define VOUCHER_EXAMPLE                                                                                               \
    "{\"voucher_code\":\"SPRING25\",\"kind\":\"promo\",\"amount\":25,\"usage_limit\":1000,\"used_count\":0,"          \
    "\"valid_until\":\"2026-12-31T23:59:59.999Z\",\"description\":\"Spring\","                                        \
    "\"created_at\":\"2026-02-09T10:00:00.000Z\"}"

/* USR-30 -------------------------------------------------------------------------------------------------- */

static void reply_redeemed(const struct redemption *d)
{
    const struct posting *p = &d->posting;
    struct buf b;
    buf_init(&b, 4096);
    json_open(&b, '{');
    json_key(&b, STR("status"));
    json_bool(&b, true);
    json_key(&b, STR("message"));
    json_string(&b, STR("Voucher redeemed"));
    json_key(&b, STR("data"));
    json_open(&b, '{');
    json_key(&b, STR("username"));
    json_string(&b, d->username);
    json_key(&b, STR("voucher_code"));
    json_string(&b, d->code);
    json_key(&b, STR("amount"));
    json_money(&b, p->posted[0].amount);
    json_key(&b, STR("balance"));
    json_money(&b, p->posted[0].credit_after);
    json_key(&b, STR("redeemed_at"));
    json_time(&b, p->created_us);
    json_close(&b, '}');
    json_close(&b, '}');
    if (b.failed) reply_err(d->req, ERR_INTERNAL);
    else reply_json(d->req, 200, buf_view(&b));
    buf_fini(&b);
}

static void on_posted(struct posting *p, enum err err)
{
    struct redemption *d = p->arg;
    const struct outcome_info *info = outcome_info(p->outcome);
    bool raced = p->outcome == POSTING_GUARDED || (p->outcome == POSTING_REFUSED && strcmp(p->sqlstate, "23505") == 0);
    if (err != OK) {
        reply_err(d->req, err);
    } else if (p->outcome == POSTING_GUARDED && d->over) {
        reply_error(d->req, 400, "Voucher Expired");
    } else if (raced) {
        reply_error(d->req, 409, "Voucher Already Redeemed");
    } else if (p->outcome != POSTING_DONE && p->outcome != POSTING_REPLAYED) {
        reply_error(d->req, info->http_status, info->message);
    } else {
        if (p->outcome == POSTING_REPLAYED) reply_header(d->req, STR("Idempotent-Replayed"), STR("true"));
        reply_redeemed(d);
    }
}

/* found.sql: user, username, wallet, voucher, amount, code, whether the user has had it, used up, over. */
static void post(struct redemption *d, const struct db_result *r)
{
    struct http_request *req = d->req;
    struct app *app = app_of(req);
    struct posting *p = &d->posting;
    const struct account *vouchers = book_system(&app->book, STR("vouchers"));
    struct attached *row = &p->attached[0];
    if (!vouchers) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    d->username = arena_str(&req->arena, db_cell(r, 0, 1));
    d->code = arena_str(&req->arena, db_cell(r, 0, 5));
    d->over = db_cell_bool(r, 0, 8);
    p->legs[0] = (struct leg){ vouchers->id, db_cell(r, 0, 2).p ? db_cell_i64(r, 0, 2) : -1, db_cell_i64(r, 0, 4),
                               STR("voucher.redeem") };
    p->leg_count = 1;
    p->memo = d->code;
    p->request = arena_printf(&req->arena, "voucher.redeem %lld %lld", (long long) db_cell_i64(r, 0, 0),
                              (long long) db_cell_i64(r, 0, 3));
    db_args_init(&d->guard_args, &req->arena);
    db_i64(&d->guard_args, db_cell_i64(r, 0, 3));
    db_i64(&d->guard_args, db_cell_i64(r, 0, 0));
    p->guard = &sql_voucher_use;
    p->guard_args = &d->guard_args;
    *row = (struct attached){ .sql = &sql_voucher_redeemed, .field_count = REDEMPTION_FIELDS };
    row->fields[REDEMPTION_VOUCHER] = arena_str(&req->arena, db_cell(r, 0, 3));
    row->fields[REDEMPTION_USER] = arena_str(&req->arena, db_cell(r, 0, 0));
    row->fields[REDEMPTION_AMOUNT] = arena_str(&req->arena, db_cell(r, 0, 4));
    p->attached_count = 1;
    p->done = on_posted;
    p->arg = d;
    enum err err = ledger_submit(app->ledger, p);
    if (err != OK) reply_err(req, err);
}

static void on_found(void *arg, enum err err, const struct db_result *r)
{
    struct redemption *d = arg;
    bool repeated = d->posting.key.p != NULL;   /* the ledger knows whether it is one; it asks it first */
    if (err != OK) sql_endpoint_failed(d->req, err, r);
    else if (db_rows(r) == 0 || !db_cell(r, 0, 0).p) reply_error(d->req, 500, "Account does not exist");
    else if (!db_cell(r, 0, 3).p) reply_error(d->req, 404, "Voucher Not Found");
    else if (!repeated && (db_cell_bool(r, 0, 6) || db_cell_bool(r, 0, 7)))
        reply_error(d->req, 409, "Voucher Already Redeemed");
    else if (!repeated && db_cell_bool(r, 0, 8)) reply_error(d->req, 400, "Voucher Expired");
    else post(d, r);
}

static void redeem(struct http_request *req)
{
    struct redemption *d = arena_new(&req->arena, struct redemption);
    struct db_args args;
    d->req = req;
    if (!idempotency_read(req, &d->posting)) return;
    sql_endpoint_args(req, &args);
    enum err err = db_exec(app_of(req)->db, &sql_voucher_found, &args, on_found, d);
    if (err != OK) reply_err(req, err);
}

/* USR-67 -------------------------------------------------------------------------------------------------- */

static void on_created(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err == ERR_SQL && strcmp(db_sqlstate(r), "23505") == 0) reply_error(req, 409, "Voucher Already Exists");
    else if (err != OK) sql_endpoint_failed(req, err, r);
    else sql_endpoint_reply(req, 201, db_cell(r, 0, 0));
}

static void create(struct http_request *req)
{
    struct db_args args;
    sql_endpoint_args(req, &args);
    enum err err = db_exec(app_of(req)->db, &sql_voucher_create, &args, on_created, req);
    if (err != OK) reply_err(req, err);
}

#define FIELD_CODE(where)                                                                                             \
    { .name = "voucher_code", .in = where, .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1,         \
      .max = 64 }

const struct endpoint voucher_endpoints[] = {
    { .id = "USR-30", .method = HTTP_POST, .path = "/redeem-voucher", .auth = AUTH_KEY_USERSTATE, .run = redeem,
      .summary = "Credit a voucher to a user's wallet",
      .fields = { { .name = "username", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 64 },
                  FIELD_CODE(IN_BODY) },
      .example = "{\"username\":\"john_doe\",\"voucher_code\":\"PROMO123\"}",
      .reply = "{\"status\":true,\"message\":\"Voucher redeemed\",\"data\":{\"username\":\"john_doe\","
               "\"voucher_code\":\"PROMO123\",\"amount\":25,\"balance\":50025,"
               "\"redeemed_at\":\"2026-02-09T10:00:00.000Z\"}}",
      .refusals = { "404 Voucher Not Found", "409 Voucher Already Redeemed", IDEMPOTENCY_CONFLICT,
                    "400 Voucher Expired" } },
    { .id = "USR-31", .method = HTTP_GET, .path = "/check-voucher-redemption", .auth = AUTH_CUSTOMER,
      .sql = &sql_voucher_check, .summary = "Whether the caller has redeemed a voucher",
      .fields = { FIELD_CODE(IN_QUERY) },
      .reply = "{\"voucher_code\":\"PROMO123\",\"redeemed\":true,\"redeemed_at\":\"2026-02-09T10:00:00.000Z\"}" },
    { .id = "USR-67", .method = HTTP_POST, .path = "/sys/voucher", .auth = AUTH_KEY_USERSTATE, .run = create,
      .status = 201, .summary = "Create a voucher",
      .fields = { FIELD_CODE(IN_BODY),
                  { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1, .max = 999999999999999,
                    .help = "more than 0, at most 2 decimals" },
                  { .name = "valid_until", .type = FIELD_TIME, .flags = FIELD_NULLABLE | FIELD_DAY_END,
                    .help = "unset: for ever" },
                  { .name = "usage_limit", .type = FIELD_INT, .flags = FIELD_NULLABLE, .min = 1, .max = 2147483647,
                    .help = "in total; unset: unlimited" },
                  { .name = "description", .type = FIELD_TEXT, .flags = FIELD_NULLABLE | FIELD_TRIM, .max = 255 } },
      .example = "{\"voucher_code\":\"SPRING25\",\"amount\":25,\"valid_until\":\"2036-12-31\",\"usage_limit\":1000,"
                 "\"description\":\"Spring\"}",
      .reply = "{\"status\":true,\"message\":\"Voucher created\",\"data\":" VOUCHER_EXAMPLE "}",
      .refusals = { "409 Voucher Already Exists" } },
    { .id = "USR-68", .method = HTTP_GET, .path = "/sys/voucher/list", .auth = AUTH_KEY_USERSTATE,
      .sql = &sql_voucher_list, .summary = "All vouchers with their use, newest first",
      .fields = { { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 1000, .initial = "1000" },
                  { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100000, .initial = "1" } },
      .reply = "[" VOUCHER_EXAMPLE "]" },
    { 0 },
};
