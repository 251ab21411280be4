/* USR-24, 25. */
#include "domain/wallet/wallet_private.h"

#include "domain/auth/auth.h"
#include "domain/bank/fresh.h"
#include "domain/idempotency.h"

enum { AMOUNT, DESCRIPTION };   /* the fields of USR-25 */

struct spending {
    struct posting posting;
    struct http_request *req;
};

void wallet_put(struct buf *b, const struct app *app, int64_t user)
{
    const struct account *wallet = book_owned(&app->book, user, ACCOUNT_WALLET);
    const struct account *points = book_owned(&app->book, user, ACCOUNT_POINTS);
    json_open(b, '{');
    json_key(b, STR("balance"));
    json_money(b, wallet ? wallet->balance : 0);
    json_key(b, STR("points"));
    json_int(b, points ? points->balance : 0);
    json_close(b, '}');
}

static void show(struct http_request *req)
{
    char text[256];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    wallet_put(&b, app_of(req), caller_of(req)->user);
    reply_json(req, 200, buf_view(&b));
}

static void balance(struct http_request *req)
{
    fresh_accounts_of(req, caller_of(req)->user, show);
}

/* USR-25 */

/* The balance is the one behind this very transfer, also when it is replayed. */
static void reply_spent(struct spending *s)
{
    char text[256];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };
    const struct account *points = book_owned(&app_of(s->req)->book, caller_of(s->req)->user, ACCOUNT_POINTS);
    json_open(&b, '{');
    json_key(&b, STR("balance"));
    json_money(&b, s->posting.posted[0].debit_after);
    json_key(&b, STR("points"));
    json_int(&b, points ? points->balance : 0);
    json_close(&b, '}');
    reply_json(s->req, 200, buf_view(&b));
}

static void on_posted(struct posting *p, enum err err)
{
    struct spending *s = p->arg;
    const struct outcome_info *info = outcome_info(p->outcome);
    if (err != OK) {
        reply_err(s->req, err);
    } else if (p->outcome == POSTING_INSUFFICIENT) {
        reply_error(s->req, 400, "Insufficient Balance");
    } else if (p->outcome != POSTING_DONE && p->outcome != POSTING_REPLAYED) {
        reply_error(s->req, info->http_status, info->message);
    } else {
        if (p->outcome == POSTING_REPLAYED) reply_header(s->req, STR("Idempotent-Replayed"), STR("true"));
        reply_spent(s);
    }
}

static void spend(struct http_request *req)
{
    struct app *app = app_of(req);
    const struct account *purchases = book_system(&app->book, STR("purchases"));
    const struct account *wallet = book_owned(&app->book, caller_of(req)->user, ACCOUNT_WALLET);
    struct spending *s = arena_new(&req->arena, struct spending);
    struct posting *p = &s->posting;
    if (!purchases) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    s->req = req;
    if (!idempotency_read(req, p)) return;
    p->legs[0] = (struct leg){ wallet ? wallet->id : -1, purchases->id, req->values[AMOUNT].i, STR("wallet.decrease") };
    p->leg_count = 1;
    p->owner = p->actor = caller_of(req)->user;
    p->memo = req->values[DESCRIPTION].s;
    p->request = arena_printf(&req->arena, "wallet.decrease %lld %.*s", (long long) req->values[AMOUNT].i,
                              STR_FMT(p->memo));
    p->done = on_posted;
    p->arg = s;
    enum err err = ledger_submit(app->ledger, p);
    if (err != OK) reply_err(req, err);
}

static void decrease(struct http_request *req)
{
    fresh_accounts_of(req, caller_of(req)->user, spend);
}

const struct endpoint wallet_endpoints[] = {
    { .id = "USR-24", .method = HTTP_GET, .path = "/balance", .auth = AUTH_CUSTOMER, .run = balance,
      .summary = "The caller's wallet and points", .reply = "{\"balance\":50000,\"points\":150}" },
    { .id = "USR-25", .method = HTTP_POST, .path = "/balance/decrease", .auth = AUTH_CUSTOMER, .run = decrease,
      .summary = "Spend from the caller's wallet",
      .description = "With the header Idempotency-Key a repeat has no effect and is answered as the first time.",
      .fields = { { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1, .max = 999999999999999,
                    .help = "more than 0, at most 2 decimals" },
                  { .name = "description", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM,
                    .min = 1, .max = 255 } },
      .example = "{\"amount\":10,\"description\":\"A coffee\"}", .reply = "{\"balance\":40000,\"points\":150}",
      .refusals = { "400 Insufficient Balance", IDEMPOTENCY_CONFLICT } },
    { .id = "USR-35", .method = HTTP_POST, .path = "/points/redeem", .auth = AUTH_CUSTOMER, .run = wallet_redeem,
      .summary = "Turn the caller's points into money of his wallet",
      .description = "With the header Idempotency-Key a repeat has no effect and is answered as the first time.",
      .fields = { { .name = "points", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = INT64_MAX } },
      .example = "{\"points\":100}",
      .reply = "{\"status\":true,\"message\":\"Points redeemed\",\"data\":{\"points_redeemed\":100,\"amount\":1,"
               "\"balance\":50001,\"points\":50}}",
      .refusals = { "400 Insufficient Points", IDEMPOTENCY_CONFLICT } },
    { 0 },
};
