/* REW-02 and REW-05: points are earned and redeemed.
 *
 * Each is one transfer between the member's account and the issuer, and that transfer is all there is of it: its
 * metadata says for what (category and amount, or reward type), so that the reply, a member's history, the
 * administration's lists and the events are made of it alone. With it goes one attached row for the running counts
 * and sums, which are written for a whole batch at once (count.sql). That points never go below zero is the ledger's
 * rule. */
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/rewards/rewards_private.h"
#include "sql.h"

/* The fields of the rows in rewards.c. */
enum { EARN_MEMBER, EARN_POINTS, EARN_CATEGORY, EARN_AMOUNT };
enum { REDEEM_MEMBER, REDEEM_POINTS, REDEEM_TYPE };

enum { COUNT_ACCOUNT, COUNT_KIND, COUNT_NAME, COUNT_POINTS, COUNT_FIELDS };

enum { REPLY_BYTES_MAX = 2048, METADATA_BYTES_MAX = 1024 };

struct movement {
    struct posting posting;
    struct http_request *req;
    const struct reward_member *member;
    struct str name;          /* the category, or the reward type */
    int64_t amount;           /* of the purchase, minor units */
    bool is_earning;
};

/* Replies ---------------------------------------------------------------------------------------------- */

static void put_transaction(struct buf *b, const struct movement *m)
{
    const struct posting *p = &m->posting;
    json_open(b, '{');
    json_key(b, STR("id"));
    pid_json(b, &app_of(m->req)->pids, PID_TRANSFER, p->posted[0].id);
    json_key(b, STR("userId"));
    json_string(b, member_id(m->member));
    if (m->is_earning) {
        json_key(b, STR("amount"));
        json_money(b, m->amount);
    }
    json_key(b, m->is_earning ? STR("category") : STR("rewardType"));
    json_string(b, m->name);
    json_key(b, m->is_earning ? STR("pointsEarned") : STR("pointsRedeemed"));
    json_int(b, p->posted[0].amount);
    json_key(b, STR("timestamp"));
    json_time(b, p->created_us);
    json_close(b, '}');
}

static void put_earning(struct buf *b, const struct movement *m)
{
    const struct posted *posted = &m->posting.posted[0];
    json_key(b, STR("userId"));
    json_string(b, member_id(m->member));
    json_key(b, STR("pointsAdded"));
    json_int(b, posted->amount);
    json_key(b, STR("points"));
    json_int(b, posted->credit_after);
    json_key(b, STR("transaction"));
    put_transaction(b, m);
}

static void put_redemption(struct buf *b, const struct movement *m)
{
    json_key(b, STR("redemption"));
    put_transaction(b, m);
    json_key(b, STR("remainingPoints"));
    json_int(b, m->posting.posted[0].debit_after);
}

static void reply_movement(const struct movement *m)
{
    char text[REPLY_BYTES_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    json_open(&b, '{');
    if (m->is_earning) put_earning(&b, m);
    else put_redemption(&b, m);
    json_close(&b, '}');
    if (b.failed) reply_err(m->req, ERR_INTERNAL);
    else reply_json(m->req, 201, buf_view(&b));
}

static void on_posted(struct posting *p, enum err err)
{
    struct movement *m = p->arg;
    const struct outcome_info *info = outcome_info(p->outcome);
    if (err != OK) {
        reply_err(m->req, err);
        return;
    }
    if (p->outcome == POSTING_REPLAYED) reply_header(m->req, STR("Idempotent-Replayed"), STR("true"));
    if (p->outcome == POSTING_DONE || p->outcome == POSTING_REPLAYED) reply_movement(m);
    else if (p->outcome == POSTING_INSUFFICIENT) reply_error(m->req, 400, "Insufficient points");
    else reply_error(m->req, info->http_status, info->message);
}

/* Postings --------------------------------------------------------------------------------------------- */

/* {"category":"shopping","amount":10000} with the amount in minor units, or {"rewardType":"voucher"}. */
static struct str make_metadata(const struct movement *m)
{
    char text[METADATA_BYTES_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };
    json_open(&b, '{');
    json_key(&b, m->is_earning ? STR("category") : STR("rewardType"));
    json_string(&b, m->name);
    if (m->is_earning) {
        json_key(&b, STR("amount"));
        json_int(&b, m->amount);
    }
    json_close(&b, '}');
    return b.failed ? STR_NONE : arena_str(&m->req->arena, buf_view(&b));
}

static void fill(struct movement *m, int64_t points)
{
    struct arena *arena = &m->req->arena;
    struct posting *p = &m->posting;
    int64_t account = m->member->account.id;
    const struct caller *caller = m->req->caller;
    p->leg_count = 1;
    p->actor = caller ? caller->user : 0;
    p->metadata = make_metadata(m);
    p->request = arena_printf(arena, "%.*s %lld %lld %.*s", STR_FMT(p->legs[0].kind), (long long) account,
                              (long long) points, STR_FMT(p->metadata));
    p->attached_count = 1;
    p->attached[0] = (struct attached){ .sql = &sql_rewards_count, .field_count = COUNT_FIELDS };
    p->attached[0].fields[COUNT_ACCOUNT] = arena_printf(arena, "%lld", (long long) account);
    p->attached[0].fields[COUNT_KIND] = m->is_earning ? STR("earn") : STR("redeem");
    p->attached[0].fields[COUNT_NAME] = m->name;
    p->attached[0].fields[COUNT_POINTS] = arena_printf(arena, "%lld", (long long) points);
    p->done = on_posted;
    p->arg = m;
}

static void submit(struct http_request *req, const struct reward_member *member, bool is_earning, int64_t points,
                   struct str name, int64_t amount)
{
    struct app *app = app_of(req);
    const struct account *issuer = book_system(&app->book, STR("rewards-issuer"));
    struct movement *m = arena_new(&req->arena, struct movement);
    if (!issuer) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    *m = (struct movement){ .req = req, .member = member, .name = name, .amount = amount, .is_earning = is_earning };
    if (!idempotency_read(req, &m->posting)) return;
    m->posting.legs[0] = is_earning ? (struct leg){ issuer->id, member->account.id, points, STR("rewards.earn") }
                                    : (struct leg){ member->account.id, issuer->id, points, STR("rewards.redeem") };
    fill(m, points);
    enum err err = m->posting.metadata.p ? ledger_submit(app->ledger, &m->posting) : ERR_INTERNAL;
    if (err != OK) reply_err(req, err);
}

/* REW-02 */

static void earn(struct http_request *req, const struct reward_member *member, bool from_memory)
{
    const struct value *v = req->values;
    (void) from_memory;
    submit(req, member, true, v[EARN_POINTS].i, v[EARN_CATEGORY].s, v[EARN_AMOUNT].i);
}

void rewards_earn(struct http_request *req)
{
    rewards_find(req, earn);
}

/* REW-05 */

static void redeem(struct http_request *req, const struct reward_member *member, bool from_memory)
{
    const struct value *v = req->values;
    (void) from_memory;
    submit(req, member, false, v[REDEEM_POINTS].i, v[REDEEM_TYPE].s, 0);
}

void rewards_redeem(struct http_request *req)
{
    const struct reward_options *options = &app_of(req)->rewards->options;
    const struct reward_option *option = reward_options_find(options, req->values[REDEEM_TYPE].s);
    struct reply_faults faults = { 0 };
    if (!options->json.p) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
    } else if (!option) {
        reply_fault(req, &faults, "rewardType", "must be a type of GET /rewards/options");
        reply_faults(req, &faults);
    } else if (req->values[REDEEM_POINTS].i < option->min_points) {
        struct str message = arena_printf(&req->arena, "must be at least %lld", (long long) option->min_points);
        reply_fault(req, &faults, "pointsToRedeem", message.p);
        reply_faults(req, &faults);
    } else {
        rewards_find(req, redeem);
    }
}
