/* USR-35: points into the wallet, by the same posting as POINTS-06 makes. */
#include "domain/auth/auth.h"
#include "domain/bank/fresh.h"
#include "domain/points/redeem.h"
#include "domain/wallet/wallet_private.h"

static void put_data(struct buf *b, const struct redemption *r)
{
    json_open(b, '{');
    json_key(b, STR("points_redeemed"));
    json_int(b, r->points);
    json_key(b, STR("amount"));
    json_money(b, r->credit);
    json_key(b, STR("balance"));
    json_money(b, r->posting.posted[1].credit_after);
    json_key(b, STR("points"));
    json_int(b, r->posting.posted[0].debit_after);
    json_close(b, '}');
}

static void reply_redeemed(const struct redemption *r)
{
    char text[512];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    json_open(&b, '{');
    json_key(&b, STR("status"));
    json_bool(&b, true);
    json_key(&b, STR("message"));
    json_string(&b, STR("Points redeemed"));
    json_key(&b, STR("data"));
    put_data(&b, r);
    json_close(&b, '}');
    reply_json(r->req, 200, buf_view(&b));
}

static void on_redeemed(struct redemption *r, enum err err)
{
    const struct outcome_info *info = outcome_info(r->posting.outcome);
    if (err != OK) {
        reply_err(r->req, err);
    } else if (r->posting.outcome == POSTING_INSUFFICIENT) {
        reply_error(r->req, 400, "Insufficient Points");
    } else if (r->posting.outcome == POSTING_DONE || r->posting.outcome == POSTING_REPLAYED) {
        if (r->posting.outcome == POSTING_REPLAYED) reply_header(r->req, STR("Idempotent-Replayed"), STR("true"));
        reply_redeemed(r);
    } else {
        reply_error(r->req, info->http_status, info->message);
    }
}

static void redeem(struct http_request *req)
{
    struct redemption *r = arena_new(&req->arena, struct redemption);
    r->req = req;
    r->person = caller_of(req)->person;
    r->points = req->values[0].i;
    r->purpose = REDEEM_WALLET_CREDIT;
    r->done = on_redeemed;
    redeem_start(r);
}

void wallet_redeem(struct http_request *req)
{
    const char *fault = redeem_check(app_of(req)->settings, req->values[0].i, &req->arena);
    if (!fault) {
        fresh_accounts_of(req, caller_of(req)->user, redeem);
        return;
    }
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "points", fault);
    reply_faults(req, &faults);
}
