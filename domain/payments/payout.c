/* USR-63: money leaves a wallet. The posting takes it and writes the payout; then the provider is asked, with
 * reference_id as the key by which he knows a repeat. Whatever gets lost on the way (his answer, we), the row
 * says that he has not been heard of, and a sweep asks him again with the same key. Only a clear no, now or
 * by callback (USR-66), returns the money; the return and the status are one posting, once.
 *
 *     wallet → payout-clearing, PENDING ──▶ asked ──┬─ accepted ─▶ (callback) ─▶ COMPLETED
 *                                           ▲       ├─ refused ─────────────────▶ FAILED, payout-clearing → wallet
 *                                  sweep ───┘       └─ not known ─▶ sweep */
#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "domain/auth/auth.h"
#include "domain/bank/fresh.h"
#include "domain/idempotency.h"
#include "domain/payments/payout.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { AMOUNT, BANK, ACCOUNT, HOLDER, DESCRIPTION };   /* the fields of USR-63 */
enum { ROW_ID, ROW_REFERENCE, ROW_USER, ROW_AMOUNT, ROW_STATUS, ROW_BANK, ROW_ACCOUNT, ROW_HOLDER, ROW_DESCRIPTION,
       ROW_PROVIDER, ROW_FIELDS };
enum { RETURN_PAYOUT, RETURN_FIELDS };
enum { BODY_MAX = 8192 };

/* A payout on its way to the provider; outlives the request it came with. */
struct payout {
    struct payments *payments;
    struct arena arena;
    int64_t id, amount, wallet;
    struct str wallet_status, reference_id, bank, account, holder, description;
    enum payout_status now;
    struct outbound_call call;
    struct posting posting;
    void (*done)(struct payout *p, enum err err);   /* may be NULL; the payout is freed behind it */
    void *arg;
};

struct creation {
    struct posting posting;
    struct http_request *req;
};

static struct payout *payout_new(struct payments *p)
{
    struct payout *payout = mem_new(struct payout);
    payout->payments = p;
    arena_init(&payout->arena);
    p->payouts_under_way++;
    return payout;
}

static void payout_end(struct payout *payout, enum err err)
{
    struct payments *p = payout->payments;
    if (payout->done) payout->done(payout, err);
    arena_fini(&payout->arena);
    mem_free(payout);
    p->payouts_under_way--;
    payments_close_if_quiet(p);
}

/* id, amount, wallet, its status, reference_id, bank, account, holder, description, status. */
static void take_row(struct payout *payout, const struct db_result *r, int row)
{
    struct arena *arena = &payout->arena;
    payout->id = db_cell_i64(r, row, 0);
    payout->amount = db_cell_i64(r, row, 1);
    payout->wallet = db_cell(r, row, 2).p ? db_cell_i64(r, row, 2) : 0;
    payout->wallet_status = arena_str(arena, db_cell(r, row, 3));
    payout->reference_id = arena_str(arena, db_cell(r, row, 4));
    payout->bank = arena_str(arena, db_cell(r, row, 5));
    payout->account = arena_str(arena, db_cell(r, row, 6));
    payout->holder = arena_str(arena, db_cell(r, row, 7));
    payout->description = arena_str(arena, db_cell(r, row, 8));
    must(payout_status_parse(db_cell(r, row, 9), &payout->now));
}

/* The return ---------------------------------------------------------------------------------------------- */

static void on_returned(struct posting *posting, enum err err)
{
    struct payout *payout = posting->arg;
    bool good = err == OK && (posting->outcome == POSTING_DONE || posting->outcome == POSTING_REPLAYED);
    log_info("payments", good ? "payout_returned" : "payout_not_returned", "payout=%.*s err=%s outcome=%s",
             STR_FMT(payout->reference_id), err_info(err)->name, outcome_info(posting->outcome)->name);
    payout_end(payout, good || err != OK ? err : ERR_UNAVAILABLE);
}

static enum err give_back(struct payout *payout)
{
    struct app *app = payout->payments->app;
    struct posting *p = &payout->posting;
    const struct account *clearing = book_system(&app->book, STR("payout-clearing"));
    const struct account *closed = book_system(&app->book, STR("closed-accounts"));
    if (!clearing || !closed) return ERR_UNAVAILABLE;
    bool has_wallet = payout->wallet && !str_eq(payout->wallet_status, STR("closed"));
    *p = (struct posting){ .leg_count = 1, .attached_count = 1, .done = on_returned, .arg = payout };
    p->legs[0] = (struct leg){ clearing->id, has_wallet ? payout->wallet : closed->id, payout->amount,
                               STR("payout.return") };
    p->scope = STR("payments");
    p->key = arena_printf(&payout->arena, "payout return %lld", (long long) payout->id);
    p->request = arena_printf(&payout->arena, "payout.return %lld", (long long) payout->id);
    p->memo = payout->description;
    p->reference_type = STR("payout");
    p->reference_id = payout->reference_id;
    p->attached[0] = (struct attached){ .sql = &sql_payments_payout_return, .field_count = RETURN_FIELDS };
    p->attached[0].fields[RETURN_PAYOUT] = arena_printf(&payout->arena, "%lld", (long long) payout->id);
    return ledger_submit(app->ledger, p);
}

/* Asking the provider ------------------------------------------------------------------------------------- */

static void on_noted(void *arg, enum err err, const struct db_result *r)
{
    if (err == ERR_SQL) log_error("payments", "payout_note_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    payout_end(arg, err);
}

/* His id is known now, and perhaps what became of it. */
static enum err note(struct payout *payout, struct str provider_id, bool completed)
{
    struct db_args args;
    db_args_init(&args, &payout->arena);
    db_i64(&args, payout->id);
    db_text(&args, provider_id);
    db_bool(&args, completed);
    return db_exec(payout->payments->app->db, &sql_payments_payout_note, &args, on_noted, payout);
}

/* What he says, acted upon. Ends the payout, now or later. */
static void act(struct payout *payout, const struct payout_said *said)
{
    enum payout_move move = said->has_report ? payout_move(payout->now, said->report) : PAYOUT_STAYS;
    enum err err = OK;
    if (move == PAYOUT_RETURNS) err = give_back(payout);
    else if (move == PAYOUT_COMPLETES || said->id.p) err = note(payout, said->id, move == PAYOUT_COMPLETES);
    else payout_end(payout, OK);
    if (err != OK) payout_end(payout, err);
}

static void on_answer(struct outbound_call *call, enum err err)
{
    struct payout *payout = call->arg;
    struct json *answer = NULL;
    const char *why;
    struct payout_said said = { 0 };
    struct str body = arena_str(&payout->arena, buf_view(&call->answer));
    bool good = err == OK && call->status >= 200 && call->status < 300 &&
                json_parse(body, &payout->arena, &answer, &why) == OK && payout_said_read(answer, &said) == OK &&
                said.id.p && str_eq(said.reference_id, payout->reference_id);
    if (!good) {
        log_warn("payments", "payout_not_taken", "payout=%.*s err=%s status=%d", STR_FMT(payout->reference_id),
                 err_info(err)->name, call->status);
    }
    if (good) act(payout, &said);
    else if (xendit_refused(call, err) && call->status != 401 && call->status != 403)
        act(payout, &(struct payout_said){ .has_report = true, .report = PAYOUT_SAYS_FAILED });
    else payout_end(payout, ERR_UNCERTAIN);
}

static void put_text(struct buf *b, struct str name, struct str text)
{
    json_key(b, name);
    json_string(b, text);
}

static void put_payout(struct buf *b, const struct payout *payout)
{
    json_open(b, '{');
    put_text(b, STR("reference_id"), payout->reference_id);
    put_text(b, STR("channel_code"), arena_printf((struct arena *) &payout->arena, "ID_%.*s", STR_FMT(payout->bank)));
    json_key(b, STR("channel_properties"));
    json_open(b, '{');
    put_text(b, STR("account_number"), payout->account);
    put_text(b, STR("account_holder_name"), payout->holder);
    json_close(b, '}');
    json_key(b, STR("amount"));
    json_money(b, payout->amount);
    put_text(b, STR("currency"), str_from(payout->payments->app->settings->currency));
    if (payout->description.n) put_text(b, STR("description"), payout->description);
    json_close(b, '}');
}

static void ask(struct payout *payout)
{
    struct buf body;
    buf_init(&body, BODY_MAX);
    put_payout(&body, payout);
    xendit_call_init(payout->payments, &payout->call, "POST", STR("/v2/payouts"), on_answer, payout);
    outbound_header(&payout->call, "Idempotency-key: %.*s", STR_FMT(payout->reference_id));
    outbound_json(&payout->call, buf_view(&body));
    buf_fini(&body);
    enum err err = outbound_start(payout->payments->app->outbound, &payout->call);
    if (err != OK) payout_end(payout, err);   /* the sweep asks again */
}

/* USR-63 -------------------------------------------------------------------------------------------------- */

static void on_read(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) sql_endpoint_failed(req, err, r);
    else if (db_rows(r) == 0) reply_err(req, ERR_INTERNAL);
    else sql_endpoint_reply(req, 201, db_cell(r, 0, 0));
}

static void reply_payout(struct http_request *req, int64_t posting)
{
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_i64(&args, posting);
    enum err err = db_exec(app_of(req)->db, &sql_payments_payout_of_posting, &args, on_read, req);
    if (err != OK) reply_err(req, err);
}

static void on_asked(struct payout *payout, enum err err)
{
    struct creation *c = payout->arg;
    (void) err;   /* the payout stands; what became of it so far is what is shown */
    reply_payout(c->req, c->posting.posted[0].id);
}

static void on_row(void *arg, enum err err, const struct db_result *r)
{
    struct payout *payout = arg;
    if (err == OK && db_rows(r) > 0) {
        take_row(payout, r, 0);
        ask(payout);
    } else {
        payout_end(payout, err == OK ? ERR_INTERNAL : err);
    }
}

static void ask_for(struct creation *c)
{
    struct app *app = app_of(c->req);
    struct payout *payout = payout_new(app->payments);
    struct db_args args;
    payout->done = on_asked;
    payout->arg = c;
    db_args_init(&args, &payout->arena);
    db_i64(&args, c->posting.posted[0].id);
    enum err err = db_exec(app->db, &sql_payments_payout_row, &args, on_row, payout);
    if (err != OK) payout_end(payout, err);
}

static void on_posted(struct posting *p, enum err err)
{
    struct creation *c = p->arg;
    const struct outcome_info *info = outcome_info(p->outcome);
    if (err != OK) {
        reply_err(c->req, err);
    } else if (p->outcome == POSTING_REPLAYED) {
        reply_header(c->req, STR("Idempotent-Replayed"), STR("true"));
        reply_payout(c->req, p->posted[0].id);
    } else if (p->outcome == POSTING_INSUFFICIENT) {
        reply_error(c->req, 400, "Insufficient Balance");
    } else if (p->outcome == POSTING_REFUSED && str_eq(str_from(p->sqlstate), STR("TL003"))) {
        struct reply_faults faults = { 0 };
        reply_fault(c->req, &faults, "bank_code", "is not a bank that payouts can go to");
        reply_faults(c->req, &faults);
    } else if (p->outcome != POSTING_DONE) {
        reply_error(c->req, info->http_status, info->message);
    } else if (payments_at_xendit(app_of(c->req)->payments)) {
        ask_for(c);
    } else {
        reply_payout(c->req, p->posted[0].id);
    }
}

static void attach_row(struct creation *c)
{
    struct http_request *req = c->req;
    bool sandbox = !payments_at_xendit(app_of(req)->payments);
    struct attached *row = &c->posting.attached[c->posting.attached_count++];
    *row = (struct attached){ .sql = &sql_payments_payout_insert, .field_count = ROW_FIELDS };
    row->fields[ROW_ID] = payments_new_id("po_", &req->arena);
    row->fields[ROW_REFERENCE] = payments_new_id("tally-po-", &req->arena);
    row->fields[ROW_USER] = arena_printf(&req->arena, "%lld", (long long) caller_of(req)->user);
    row->fields[ROW_AMOUNT] = arena_printf(&req->arena, "%lld", (long long) req->values[AMOUNT].i);
    row->fields[ROW_STATUS] = sandbox ? STR("COMPLETED") : STR("PENDING");
    row->fields[ROW_BANK] = req->values[BANK].s;
    row->fields[ROW_ACCOUNT] = req->values[ACCOUNT].s;
    row->fields[ROW_HOLDER] = req->values[HOLDER].s;
    row->fields[ROW_DESCRIPTION] = req->values[DESCRIPTION].set ? req->values[DESCRIPTION].s : STR_NONE;
    row->fields[ROW_PROVIDER] = sandbox ? STR("sandbox") : STR("xendit");
}

static void create(struct http_request *req)
{
    struct app *app = app_of(req);
    const struct account *clearing = book_system(&app->book, STR("payout-clearing"));
    const struct account *wallet = book_owned(&app->book, caller_of(req)->user, ACCOUNT_WALLET);
    struct creation *c = arena_new(&req->arena, struct creation);
    struct posting *p = &c->posting;
    if (!clearing) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    c->req = req;
    if (!idempotency_read(req, p)) return;
    p->legs[0] = (struct leg){ wallet ? wallet->id : -1, clearing->id, req->values[AMOUNT].i, STR("payout.create") };
    p->leg_count = 1;
    p->owner = p->actor = caller_of(req)->user;
    p->memo = req->values[DESCRIPTION].set ? req->values[DESCRIPTION].s : STR_NONE;
    p->request = arena_printf(&req->arena, "payout.create %lld %.*s %.*s %.*s", (long long) req->values[AMOUNT].i,
                              STR_FMT(req->values[BANK].s), STR_FMT(req->values[ACCOUNT].s),
                              STR_FMT(req->values[HOLDER].s));
    p->done = on_posted;
    p->arg = c;
    attach_row(c);
    enum err err = ledger_submit(app->ledger, p);
    if (err != OK) reply_err(req, err);
}

void payments_payout(struct http_request *req)
{
    if (payments_available(app_of(req)->payments)) fresh_accounts_of(req, caller_of(req)->user, create);
    else reply_error(req, 502, "Payment provider unavailable");
}

/* USR-66 -------------------------------------------------------------------------------------------------- */

static void on_settled(struct payout *payout, enum err err)
{
    struct http_request *req = payout->arg;
    if (err == OK) reply_json(req, 200, STR("{\"status\":true,\"message\":\"Callback processed\"}"));
    else reply_err(req, err == ERR_SQL ? ERR_INTERNAL : err);
}

struct told {
    struct http_request *req;
    struct payout_said said;
};

static void on_found(void *arg, enum err err, const struct db_result *r)
{
    struct told *t = arg;
    if (err != OK) {
        sql_endpoint_failed(t->req, err, r);
        return;
    }
    if (db_rows(r) == 0) {
        reply_error(t->req, 404, "Payout Not Found");
        return;
    }
    struct payout *payout = payout_new(app_of(t->req)->payments);
    payout->done = on_settled;
    payout->arg = t->req;
    take_row(payout, r, 0);
    act(payout, &t->said);
}

void payments_payout_callback(struct http_request *req)
{
    struct told *t = arena_new(&req->arena, struct told);
    struct db_args args;
    t->req = req;
    if (payout_said_read(req->json, &t->said) != OK || (!t->said.id.p && !t->said.reference_id.p)) {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "data", "must name a payout and its status");
        reply_faults(req, &faults);
        return;
    }
    db_args_init(&args, &req->arena);
    db_text(&args, t->said.reference_id);
    db_text(&args, t->said.id);
    db_text(&args, req->body);
    enum err err = db_exec(app_of(req)->db, &sql_payments_payout_take, &args, on_found, t);
    if (err != OK) reply_err(req, err);
}

/* The sweep ----------------------------------------------------------------------------------------------- */

static void on_swept(void *arg, enum err err, const struct db_result *r)
{
    struct payments *p = arg;
    p->sweeping = false;
    arena_fini(&p->sweep_arena);
    if (err == ERR_SQL) log_error("payments", "sweep_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    for (int i = 0; err == OK && !p->closing && i < db_rows(r); i++) {
        struct payout *payout = payout_new(p);
        take_row(payout, r, i);
        ask(payout);
    }
    payments_close_if_quiet(p);
}

void payout_sweep(struct payments *p)
{
    struct db_args none;
    if (p->sweeping || p->closing || !payments_at_xendit(p)) return;
    db_args_init(&none, &p->sweep_arena);
    p->sweeping = db_exec(p->app->db, &sql_payments_payout_sweep, &none, on_swept, p) == OK;
}
