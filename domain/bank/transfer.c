/* BANK-06 and BANK-07: value moves. What may be and what may not is decided by the ledger, in the
 * order the contract gives; here a request becomes a posting and its outcome a reply. */
#include "domain/auth/auth.h"
#include "domain/bank/bank_private.h"
#include "domain/live/live.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { TRANSACTION_JSON_MAX = 2048 };

/* The fields of BANK-07; those of BANK-06 stand in the order from, to, amount, key. */
enum { FUNDS_ACCOUNT, FUNDS_USER, FUNDS_AMOUNT, FUNDS_KEY };

struct movement {
    struct posting posting;
    struct http_request *req;
    const char *done_message;
    bool by_user;                 /* BANK-07 named a user */
};

static void put_transaction(struct buf *b, const struct app *app, const struct posting *p)
{
    const struct posted *t = &p->posted[0];
    struct str kind = p->legs[0].kind;
    json_open(b, '{');
    json_key(b, STR("_id"));
    pid_json(b, &app->pids, PID_TRANSFER, t->id);
    json_key(b, STR("type"));
    json_string(b, (struct str){ kind.p + 5, kind.n - 5 });   /* without "bank." */
    json_key(b, STR("fromAccount"));
    pid_json(b, &app->pids, PID_ACCOUNT, t->debit);
    json_key(b, STR("toAccount"));
    pid_json(b, &app->pids, PID_ACCOUNT, t->credit);
    json_key(b, STR("amount"));
    json_money(b, t->amount);
    json_key(b, STR("status"));
    json_string(b, STR("completed"));
    json_key(b, STR("idempotencyKey"));
    json_string(b, p->key);
    json_key(b, STR("createdAt"));
    json_time(b, p->created_us);
    json_key(b, STR("updatedAt"));
    json_time(b, p->created_us);
    json_close(b, '}');
}

static void reply_transaction(const struct movement *m, const char *message)
{
    char text[TRANSACTION_JSON_MAX];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    json_open(&b, '{');
    json_key(&b, STR("message"));
    json_string(&b, str_from(message));
    json_key(&b, STR("transaction"));
    put_transaction(&b, app_of(m->req), &m->posting);
    json_close(&b, '}');
    if (b.failed) reply_err(m->req, ERR_INTERNAL);
    else reply_json(m->req, 200, buf_view(&b));
}

static void on_posted(struct posting *p, enum err err)
{
    struct movement *m = p->arg;
    const struct outcome_info *info = outcome_info(p->outcome);
    if (err != OK) {
        reply_err(m->req, err);
    } else if (p->outcome == POSTING_DONE) {
        reply_transaction(m, m->done_message);
    } else if (p->outcome == POSTING_REPLAYED) {
        reply_header(m->req, STR("Idempotent-Replayed"), STR("true"));
        reply_transaction(m, "Transaction already processed");
    } else if (p->outcome == POSTING_NO_ACCOUNT && m->by_user && p->legs[0].credit == -1) {
        reply_error(m->req, 404, "User not found");
    } else {
        reply_error(m->req, info->http_status, info->message);
    }
}

/* Stands for both sides when they name the same account that does not exist: that they are the same is said first. */
enum { THE_SAME_UNKNOWN = -3 };

/* Points, wallets and the treasury are accounts, too, whose ids can be known; to the bank they do
 * not exist, or points could be moved as if they were money. */
static int64_t bank_account_id(const struct app *app, int64_t id)
{
    const struct account *a = book_account(&app->book, id);
    return a && a->kind != ACCOUNT_BANK ? -1 : id;
}

static void submit(struct movement *m)
{
    m->posting.actor = caller_of(m->req)->user;
    m->posting.scope = caller_scope(caller_of(m->req), &m->req->arena);
    m->posting.leg_count = 1;
    m->posting.done = on_posted;
    m->posting.arg = m;
    enum err err = ledger_submit(app_of(m->req)->ledger, &m->posting);
    if (err != OK) reply_err(m->req, err);
}

void bank_transfer(struct http_request *req)
{
    struct movement *m = arena_new(&req->arena, struct movement);
    int64_t from = bank_account_id(app_of(req), req->values[0].i);
    int64_t to = bank_account_id(app_of(req), req->values[1].i);
    int64_t amount = req->values[2].i;
    if (from == -1 && to == -1 && str_eq(req->values[0].s, req->values[1].s)) from = to = THE_SAME_UNKNOWN;
    m->req = req;
    m->done_message = "Transaction completed successfully";
    m->posting.legs[0] = (struct leg){ from, to, amount, STR("bank.transfer") };
    m->posting.owner = caller_of(req)->user;
    m->posting.key = req->values[3].s;
    m->posting.request = arena_printf(&req->arena, "bank.transfer %lld %lld %lld", (long long) from, (long long) to,
                                      (long long) amount);
    submit(m);
}

/* BANK-07 */

/* The user's oldest active account; his oldest of another status when none is active; -2 when he has none. */
static int64_t account_to_fund(const struct person *person)
{
    int64_t other = -2;
    for (const struct account *a = person->accounts; a; a = a->next) {
        if (a->kind != ACCOUNT_BANK) continue;
        if (a->status == ACCOUNT_ACTIVE) return a->id;
        if (other == -2) other = a->id;
    }
    return other;
}

static void fund(struct movement *m)
{
    struct http_request *req = m->req;
    struct app *app = app_of(req);
    const struct account *treasury = book_system(&app->book, STR("treasury"));
    int64_t user = req->values[FUNDS_USER].i, amount = req->values[FUNDS_AMOUNT].i;
    int64_t to = bank_account_id(app, req->values[FUNDS_ACCOUNT].i);
    if (!treasury) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    if (m->by_user) {
        const struct person *person = book_person(&app->book, user);
        to = person ? account_to_fund(person) : -1;
    }
    m->posting.legs[0] = (struct leg){ treasury->id, to, amount, STR("bank.initial_funds") };
    m->posting.request = arena_printf(&req->arena, "bank.initial_funds %c%lld %lld", m->by_user ? 'u' : 'a',
                                      (long long) (m->by_user ? user : to), (long long) amount);
    submit(m);
}

static void on_user(void *arg, enum err err, const struct db_result *r)
{
    struct movement *m = arg;
    if (err != OK) {
        sql_endpoint_failed(m->req, err, r);
        return;
    }
    for (int i = 0; i < db_rows(r); i++) live_apply_own(app_of(m->req)->live, db_cell(r, i, 0));
    fund(m);
}

static void find_user(struct movement *m, int64_t user)
{
    struct db_args args;
    db_args_init(&args, &m->req->arena);
    db_i64(&args, user);
    enum err err = db_exec(app_of(m->req)->db, &sql_bank_user_accounts, &args, on_user, m);
    if (err != OK) reply_err(m->req, err);
}

void bank_initial_funds(struct http_request *req)
{
    struct movement *m = arena_new(&req->arena, struct movement);
    bool by_account = req->values[FUNDS_ACCOUNT].set;
    m->req = req;
    m->done_message = "Initial funds added successfully";
    m->by_user = req->values[FUNDS_USER].set;
    m->posting.key = req->values[FUNDS_KEY].s;
    if (by_account == m->by_user) {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "toAccount", "exactly one of toAccount and userId must be given");
        reply_faults(req, &faults);
        return;
    }
    /* An account that another process opened a moment ago stands in the tables only. */
    const struct person *person = m->by_user ? book_person(&app_of(req)->book, req->values[FUNDS_USER].i) : NULL;
    bool known = !m->by_user || (person && account_to_fund(person) > 0);
    if (known && live_memory_is_good(app_of(req)->live)) fund(m);
    else find_user(m, req->values[FUNDS_USER].i);
}
