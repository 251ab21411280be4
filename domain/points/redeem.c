/* POINTS-06, and what USR-35 shares with it.
 *
 *     purchase named? ── claimed.sql: already redeemed for it ──▶ claimed
 *         │ no
 *     posting: points → issuer (and expense → wallet), with its row and voucher ──▶ done
 *         │ replayed: redemption.sql, what it was the first time                ──▶ done
 *         └ the code is taken by chance: another one, again
 *
 * That a purchase is redeemed for once is decided by a unique index in the posting's own commit.
 * Looking first only keeps repeated requests from reaching it, since there they would cost their
 * whole batch a second try. */
#include "domain/points/redeem.h"

#include "core/must.h"
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { AMOUNT, PURPOSE, PURCHASE };   /* the fields of POINTS-06, in the row's order */
enum { TRIES_MAX = 5, REPLY_BYTES_MAX = 16384 };

static const struct str purposes[] = { { "discount_code", 13 }, { "wallet_credit", 13 } };
static const struct str memos[] = { { "Redeemed for a discount code", 28 }, { "Redeemed for wallet credit", 26 } };

static void submit(struct redemption *r);

const char *redeem_check(const struct settings *s, int64_t points, struct arena *arena)
{
    int64_t credit;
    if (points < s->points_min_redeem)
        return arena_printf(arena, "must be at least %lld", (long long) s->points_min_redeem).p;
    if (!redeem_credit(points, s->redeem_rate, &credit)) return "is worth more than can be credited";
    return credit == 0 ? "is worth less than 0.01" : NULL;
}

/* As it was the first time ------------------------------------------------------------------------ */

static void put_metadata(struct redemption *r)
{
    struct buf b;
    buf_init(&b, 256);
    json_open(&b, '{');
    json_key(&b, STR("purpose"));
    json_string(&b, purposes[r->purpose]);
    if (*r->code) {
        json_key(&b, STR("code"));
        json_string(&b, str_from(r->code));
    }
    json_close(&b, '}');
    r->posting.metadata = arena_str(&r->req->arena, buf_view(&b));
    buf_fini(&b);
}

static void on_redemption(void *arg, enum err err, const struct db_result *result)
{
    struct redemption *r = arg;
    if (err == OK && db_rows(result) == 0) err = ERR_INTERNAL;
    if (err == OK) {
        struct str code = db_cell(result, 0, 2);
        r->credit = db_cell_i64(result, 0, 0);
        r->currency = arena_str(&r->req->arena, db_cell(result, 0, 1));
        must(code.n <= DISCOUNT_CODE_CHARS);
        for (size_t i = 0; i <= code.n; i++) r->code[i] = i < code.n ? code.p[i] : 0;
        put_metadata(r);
    }
    r->done(r, err);
}

static void read_redemption(struct redemption *r)
{
    struct db_args args;
    db_args_init(&args, &r->req->arena);
    db_i64(&args, r->posting.posted[0].id);
    enum err err = db_exec(app_of(r->req)->db, &sql_points_redemption, &args, on_redemption, r);
    if (err != OK) r->done(r, err);
}

/* The posting --------------------------------------------------------------------------------------- */

static bool refused_by(const struct posting *p, const char *constraint)
{
    return p->outcome == POSTING_REFUSED && str_eq(str_from(p->constraint), str_from(constraint));
}

static void on_posted(struct posting *p, enum err err)
{
    struct redemption *r = p->arg;
    if (err == OK && refused_by(p, "vouchers_code") && ++r->tries < TRIES_MAX) {
        submit(r);
    } else if (err == OK && p->outcome == POSTING_REPLAYED) {
        read_redemption(r);
    } else {
        r->claimed = err == OK && refused_by(p, "point_redemptions_purchase");
        r->done(r, err);
    }
}

static void attach_row(struct redemption *r)
{
    struct arena *arena = &r->req->arena;
    r->posting.attached_count = 1;
    r->posting.attached[0] = (struct attached){
        .sql = &sql_points_redeemed, .field_count = 7,
        .fields = { arena_printf(arena, "%lld", (long long) r->person->id),
                    arena_printf(arena, "%lld", (long long) r->points), purposes[r->purpose],
                    arena_printf(arena, "%lld", (long long) r->credit), r->currency, r->purchase,
                    *r->code ? str_from(r->code) : STR_NONE },
    };
}

static void make_code(struct redemption *r)
{
    uint8_t random[64];
    do random_bytes(random, sizeof random);
    while (!discount_code_make(random, sizeof random, r->code));
}

static void submit(struct redemption *r)
{
    if (r->purpose == REDEEM_DISCOUNT_CODE) make_code(r);
    attach_row(r);
    put_metadata(r);
    enum err err = ledger_submit(app_of(r->req)->ledger, &r->posting);
    if (err != OK) r->done(r, err);
}

static bool fill(struct redemption *r)
{
    struct app *app = app_of(r->req);
    struct posting *p = &r->posting;
    const struct account *points = book_owned(&app->book, r->person->id, ACCOUNT_POINTS);
    const struct account *wallet = book_owned(&app->book, r->person->id, ACCOUNT_WALLET);
    const struct account *issuer = book_system(&app->book, STR("points-issuer"));
    const struct account *expense = book_system(&app->book, STR("rewards-expense"));
    bool credited = r->purpose == REDEEM_WALLET_CREDIT;
    if (!points || !issuer || !expense || (credited && !wallet)) return false;
    r->account = points->id;
    r->currency = str_from(app->settings->currency);
    must(redeem_credit(r->points, app->settings->redeem_rate, &r->credit) && r->credit > 0);
    p->legs[p->leg_count++] = (struct leg){ points->id, issuer->id, r->points, STR("points.redeem") };
    if (credited) p->legs[p->leg_count++] = (struct leg){ expense->id, wallet->id, r->credit, STR("points.redeem") };
    p->actor = r->person->id;
    p->owner = r->person->id;
    p->memo = memos[r->purpose];
    if (r->purchase.p) p->reference_type = STR("purchase_request");
    p->reference_id = r->purchase;
    p->request = arena_printf(&r->req->arena, "points.redeem %lld %.*s %zu %.*s", (long long) r->points,
                              STR_FMT(purposes[r->purpose]), r->purchase.n, STR_FMT(r->purchase));
    p->done = on_posted;
    p->arg = r;
    return true;
}

static void on_claimed(void *arg, enum err err, const struct db_result *result)
{
    struct redemption *r = arg;
    r->claimed = err == OK && db_cell_bool(result, 0, 0);
    if (err == OK && !r->claimed) submit(r);
    else r->done(r, err);
}

void redeem_start(struct redemption *r)
{
    struct db_args args;
    if (!idempotency_read(r->req, &r->posting)) return;
    if (!fill(r)) {   /* nothing has been loaded yet */
        r->done(r, ERR_UNAVAILABLE);
        return;
    }
    if (!r->purchase.p) {
        submit(r);
        return;
    }
    db_args_init(&args, &r->req->arena);
    db_i64(&args, r->person->id);
    db_text(&args, r->purchase);
    db_text(&args, r->posting.key);
    enum err err = db_exec(app_of(r->req)->db, &sql_points_claimed, &args, on_claimed, r);
    if (err != OK) r->done(r, err);
}

/* POINTS-06 ------------------------------------------------------------------------------------------ */

static void put_redemption(struct buf *b, const struct redemption *r)
{
    json_key(b, STR("redemption"));
    json_open(b, '{');
    json_key(b, STR("creditAmount"));
    json_money(b, r->credit);
    json_key(b, STR("currency"));
    json_string(b, r->currency);
    json_key(b, STR("code"));
    json_string(b, *r->code ? str_from(r->code) : STR_NONE);
    json_close(b, '}');
}

static void reply_redeemed(const struct redemption *r)
{
    struct point_transaction t = points_transaction_of(&r->posting, 0, r->person->id, r->account);
    struct buf b;
    buf_init(&b, REPLY_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("success"));
    json_bool(&b, true);
    json_key(&b, STR("data"));
    json_open(&b, '{');
    json_key(&b, STR("transaction"));
    points_put_transaction(&b, app_of(r->req), &t);
    put_redemption(&b, r);
    json_key(&b, STR("newBalance"));
    json_int(&b, t.balance_after);
    json_close(&b, '}');
    json_close(&b, '}');
    if (b.failed) reply_err(r->req, ERR_INTERNAL);
    else reply_json(r->req, 200, buf_view(&b));
    buf_fini(&b);
}

static void on_redeemed(struct redemption *r, enum err err)
{
    const struct outcome_info *info = outcome_info(r->posting.outcome);
    if (err != OK) {
        reply_err(r->req, err);
    } else if (r->claimed) {
        reply_error(r->req, 409, "Redemption already claimed");
    } else if (r->posting.outcome == POSTING_INSUFFICIENT) {
        reply_error(r->req, 400, "Insufficient points balance");
    } else if (r->posting.outcome == POSTING_DONE || r->posting.outcome == POSTING_REPLAYED) {
        if (r->posting.outcome == POSTING_REPLAYED) reply_header(r->req, STR("Idempotent-Replayed"), STR("true"));
        reply_redeemed(r);
    } else {
        reply_error(r->req, info->http_status, info->message);
    }
}

static void redeem(struct http_request *req, const struct person *person)
{
    struct redemption *r = arena_new(&req->arena, struct redemption);
    r->req = req;
    r->person = person;
    r->points = req->values[AMOUNT].i;
    r->purpose = (enum redeem_purpose) req->values[PURPOSE].i;
    if (req->values[PURCHASE].set) r->purchase = req->values[PURCHASE].s;
    r->done = on_redeemed;
    redeem_start(r);
}

void points_redeem(struct http_request *req)
{
    const char *fault = redeem_check(app_of(req)->settings, req->values[AMOUNT].i, &req->arena);
    if (!fault) {
        points_find_user(req, caller_of(req)->user, STR_NONE, redeem);
        return;
    }
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "amount", fault);
    reply_faults(req, &faults);
}
