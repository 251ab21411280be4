/* POINTS-09: an administrator grants points or takes them. A grant raises the lifetime points and
 * may cross a level; a deduction leaves both. */
#include <string.h>

#include "core/log.h"
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/points/points_private.h"

/* The fields of the row in points.c. */
enum { USER, AMOUNT, REASON, METADATA };

enum { REPLY_BYTES_MAX = 16384 };

struct grant {
    struct posting posting;
    struct http_request *req;
    const struct person *person;
    int64_t account;
};

static void reply_grant(const struct grant *g)
{
    const struct posting *p = &g->posting;
    struct point_transaction t = points_transaction_of(p, 0, g->person->id, g->account);
    struct buf b;
    buf_init(&b, REPLY_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("success"));
    json_bool(&b, true);
    json_key(&b, STR("data"));
    json_open(&b, '{');
    json_key(&b, STR("transaction"));
    points_put_transaction(&b, app_of(g->req), &t);
    json_key(&b, STR("newBalance"));
    json_int(&b, t.balance_after);
    json_close(&b, '}');
    json_close(&b, '}');
    if (b.failed) reply_err(g->req, ERR_INTERNAL);
    else reply_json(g->req, 200, buf_view(&b));
    buf_fini(&b);
}

static void reply_refused(struct http_request *req, const struct posting *p)
{
    const struct outcome_info *info = outcome_info(p->outcome);
    if (p->outcome == POSTING_INSUFFICIENT) {
        reply_error(req, 400, "Balance would go below zero");
    } else if (p->outcome == POSTING_NO_ACCOUNT) {
        reply_error(req, 404, "User not found");
    } else if (p->outcome == POSTING_REFUSED && memcmp(p->sqlstate, "22", 2) == 0) {
        /* A value that JSON can hold and PostgreSQL cannot: a number with a million digits. */
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "metadata", "cannot be stored");
        reply_faults(req, &faults);
    } else {
        reply_error(req, info->http_status, info->message);
    }
}

static void on_posted(struct posting *p, enum err err)
{
    struct grant *g = p->arg;
    if (err != OK) {
        reply_err(g->req, err);
        return;
    }
    if (p->outcome == POSTING_REPLAYED) reply_header(g->req, STR("Idempotent-Replayed"), STR("true"));
    if (p->outcome == POSTING_DONE || p->outcome == POSTING_REPLAYED) reply_grant(g);
    else reply_refused(g->req, p);
}

static void on_decided(struct posting *p, int64_t lifetime_before)
{
    struct grant *g = p->arg;
    points_attach_level_up(app_of(g->req)->points, p, 0, g->person, lifetime_before, &g->req->arena);
}

static void fill(struct grant *g, int64_t issuer)
{
    struct http_request *req = g->req;
    struct posting *p = &g->posting;
    int64_t amount = req->values[AMOUNT].i;
    struct str reason = req->values[REASON].s;
    p->legs[0] = amount > 0 ? (struct leg){ issuer, g->account, amount, STR("points.admin_grant") }
                            : (struct leg){ g->account, issuer, -amount, STR("points.admin_deduct") };
    p->leg_count = 1;
    p->actor = caller_of(req)->user;
    p->memo = reason;
    if (req->values[METADATA].set) p->metadata = req->values[METADATA].json->text;
    p->request = arena_printf(&req->arena, "points.admin %lld %lld %zu %.*s %.*s", (long long) g->person->id,
                              (long long) amount, reason.n, STR_FMT(reason), STR_FMT(p->metadata));
    if (amount > 0) p->decided = on_decided;
    p->done = on_posted;
    p->arg = g;
}

static void grant(struct http_request *req, const struct person *person)
{
    struct app *app = app_of(req);
    const struct account *issuer = book_system(&app->book, STR("points-issuer"));
    const struct account *account = book_owned(&app->book, person->id, ACCOUNT_POINTS);
    struct grant *g = arena_new(&req->arena, struct grant);
    if (!issuer) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    if (!account) {   /* closed: the user has been erased */
        reply_error(req, 404, "User not found");
        return;
    }
    g->req = req;
    g->person = person;
    g->account = account->id;
    if (!idempotency_read(req, &g->posting)) return;
    fill(g, issuer->id);
    enum err err = ledger_submit(app->ledger, &g->posting);
    if (err != OK) reply_err(req, err);
}

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return s.n > 0;
}

void points_admin_add(struct http_request *req)
{
    struct app *app = app_of(req);
    struct str who = req->values[USER].s;
    int64_t user = -1;
    if (req->values[AMOUNT].i == 0) {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "amount", "must not be 0");
        reply_faults(req, &faults);
        return;
    }
    /* A username is never all digits and never 24 hexadecimal characters, so the three forms cannot
     * be mistaken for each other. */
    bool by_number = all_digits(who) && who.n < PID_CHARS;
    if (by_number) str_to_i64(who, &user);
    else user = pid_decode(&app->pids, PID_USER, who);
    if (user > 0) points_find_user(req, user, STR_NONE, grant);
    else if (by_number) reply_error(req, 404, "User not found");
    else points_find_user(req, 0, who, grant);
}
