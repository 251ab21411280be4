/* USR-21, 22: an invoice. Our row is committed before the provider is asked, so that no callback can be
 * earlier than it; it becomes visible with the provider's id.
 *
 *     insert ──sandbox──────────────────────────────▶ 201
 *        └──Xendit──▶ ask ──his invoice──▶ confirm ──▶ 201
 *                      ├──no, or not asked──▶ drop ──▶ 502    nobody can pay what does not exist
 *                      └──not known───────────────────▶ 502   the row stays, unseen: should it be paid all
 *                                                             the same, its callback finds it */
#include "core/flow.h"
#include "core/log.h"
#include "domain/auth/auth.h"
#include "domain/payments/payments_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { INVOICE_SECONDS = 24 * 60 * 60, BODY_MAX = 8192 };

struct checkout {
    struct flow flow;
    struct http_request *req;
    struct payments *payments;
    int fields;                     /* the first of amount, description, method, ewallet type */
    struct str username;            /* USR-22; else STR_NONE */
    struct str external_id, email, invoice;
    int64_t id;
    struct gathered inserted;
    struct outbound_call call;
    struct report report;
    bool refused, unknown_user;
};

enum { AMOUNT, DESCRIPTION, METHOD, EWALLET };

static const struct value *field(const struct checkout *c, int which)
{
    return &c->req->values[c->fields + which];
}

static void fail_sql(struct checkout *c, enum err err, const struct db_result *r)
{
    if (err == ERR_SQL) {
        log_error("payments", "failed", "req=%.*s step=%s message=%s", STR_FMT(c->req->id), c->flow.step->name,
                  LOG_STR(str_from(db_message(r))));
        err = ERR_INTERNAL;
    }
    flow_fail(&c->flow, err);
}

static enum flow_result run(struct checkout *c, const struct sql *sql, const struct db_args *args, db_done done)
{
    enum err err = db_exec(app_of(c->req)->db, sql, args, done, c);
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&c->flow, err);
    return FLOW_FAIL;
}

/* insert */

static void on_inserted(struct gathered *g, enum err err, const struct db_result *r, int row)
{
    struct checkout *c = g->arg;
    if (err != OK) {
        fail_sql(c, err, r);
        return;
    }
    if (row < 0) {
        c->unknown_user = true;
        flow_fail(&c->flow, ERR_INVALID);
        return;
    }
    c->id = db_cell_i64(r, row, 0);
    c->invoice = arena_str(&c->req->arena, db_cell(r, row, 1));
    c->email = arena_str(&c->req->arena, db_cell(r, row, 2));
    flow_resume(&c->flow);
}

/* What the sandbox would answer is known before it is asked. */
static void name_at_sandbox(struct checkout *c, struct str *fields)
{
    struct arena *arena = &c->req->arena;
    struct str id = payments_new_id("inv_", arena);
    fields[INSERT_ID] = id;
    fields[INSERT_URL] = arena_printf(arena, "%s/sandbox/invoices/%.*s", app_of(c->req)->settings->public_url,
                                      STR_FMT(id));
}

static enum flow_result insert(void *arg)
{
    struct checkout *c = arg;
    struct str *fields = c->inserted.fields;
    struct arena *arena = &c->req->arena;
    bool sandbox = !payments_at_xendit(c->payments);
    c->external_id = payments_new_id("tally-", arena);
    if (!c->username.p) fields[INSERT_USER] = payments_number(arena, caller_of(c->req)->user);
    fields[INSERT_USERNAME] = c->username;
    fields[INSERT_AMOUNT] = payments_number(arena, field(c, AMOUNT)->i);
    fields[INSERT_DESCRIPTION] = field(c, DESCRIPTION)->s;
    if (field(c, METHOD)->set) fields[INSERT_METHOD] = field(c, METHOD)->s;
    if (field(c, EWALLET)->set) fields[INSERT_EWALLET] = field(c, EWALLET)->s;
    fields[INSERT_PROVIDER] = sandbox ? STR("sandbox") : STR("xendit");
    fields[INSERT_EXTERNAL_ID] = c->external_id;
    if (sandbox) name_at_sandbox(c, fields);
    c->inserted.done = on_inserted;
    c->inserted.arg = c;
    enum err err = gather_add(&c->payments->inserts, &c->inserted);
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&c->flow, err);
    return FLOW_FAIL;
}

/* ask */

static void on_answer(struct outbound_call *call, enum err err)
{
    struct checkout *c = call->arg;
    struct arena *arena = &c->req->arena;
    bool good = err == OK && call->status >= 200 && call->status < 300 &&
                report_parse(arena_str(arena, buf_view(&call->answer)), arena, &c->report) == OK && c->report.url.p &&
                str_eq(c->report.external_id, c->external_id);
    c->refused = xendit_refused(call, err) || (err != OK && err != ERR_UNCERTAIN);
    if (!good) {
        log_warn("payments", "no_invoice", "req=%.*s err=%s status=%d", STR_FMT(c->req->id), err_info(err)->name,
                 call->status);
    }
    if (good || c->refused) flow_resume(&c->flow);
    else flow_fail(&c->flow, ERR_UNCERTAIN);
}

static void put_channels(struct buf *b, const struct checkout *c)
{
    static const struct {
        struct str method, channels;
    } known[] = {
        { { "VIRTUAL_ACCOUNT", 15 }, STR("[\"BCA\",\"BNI\",\"BRI\",\"MANDIRI\",\"PERMATA\",\"BSI\"]") },
        { { "QR_CODE", 7 }, STR("[\"QRIS\"]") },
        { { "RETAIL_OUTLET", 13 }, STR("[\"ALFAMART\",\"INDOMARET\"]") },
        { { "CREDIT_CARD", 11 }, STR("[\"CREDIT_CARD\"]") },
    };
    if (!field(c, METHOD)->set) return;   /* all of them */
    json_key(b, STR("payment_methods"));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (str_eq(known[i].method, field(c, METHOD)->s)) json_raw(b, known[i].channels);
    }
    if (!field(c, EWALLET)->set) return;
    json_open(b, '[');
    json_string(b, field(c, EWALLET)->s);
    json_close(b, ']');
}

static void put_invoice(struct buf *b, const struct checkout *c)
{
    json_open(b, '{');
    json_key(b, STR("external_id"));
    json_string(b, c->external_id);
    json_key(b, STR("amount"));
    json_money(b, field(c, AMOUNT)->i);
    json_key(b, STR("description"));
    json_string(b, field(c, DESCRIPTION)->s);
    json_key(b, STR("invoice_duration"));
    json_int(b, INVOICE_SECONDS);
    json_key(b, STR("currency"));
    json_string(b, str_from(app_of(c->req)->settings->currency));
    if (c->email.n) {
        json_key(b, STR("payer_email"));
        json_string(b, c->email);
    }
    put_channels(b, c);
    json_close(b, '}');
}

static enum flow_result ask(void *arg)
{
    struct checkout *c = arg;
    struct buf body;
    if (!payments_at_xendit(c->payments)) return FLOW_END;
    buf_init(&body, BODY_MAX);
    put_invoice(&body, c);
    xendit_call_init(c->payments, &c->call, "POST", STR("/v2/invoices"), on_answer, c);
    outbound_json(&c->call, buf_view(&body));
    buf_fini(&body);
    if (outbound_start(app_of(c->req)->outbound, &c->call) == OK) return FLOW_WAIT;
    c->refused = true;
    return FLOW_NEXT;
}

/* confirm, or drop */

static void on_confirmed(void *arg, enum err err, const struct db_result *r)
{
    struct checkout *c = arg;
    if (err != OK) {
        fail_sql(c, err, r);
        return;
    }
    if (db_rows(r) > 0) c->invoice = arena_str(&c->req->arena, db_cell(r, 0, 0));
    flow_resume(&c->flow);
}

static enum flow_result confirm(void *arg)
{
    struct checkout *c = arg;
    struct db_args args;
    db_args_init(&args, &c->req->arena);
    db_i64(&args, c->id);
    if (c->refused) return run(c, &sql_payments_drop, &args, on_confirmed);
    db_text(&args, c->report.id);
    db_text(&args, c->report.url);
    if (c->report.expiry_us == INT64_MIN) db_null(&args);
    else db_i64(&args, c->report.expiry_us);
    return run(c, &sql_payments_confirm, &args, on_confirmed);
}

static void finished(void *arg, enum err err)
{
    struct checkout *c = arg;
    if (c->unknown_user) reply_error(c->req, 500, "Account does not exist");
    else if (c->refused || err == ERR_UNCERTAIN) reply_error(c->req, 502, "Payment provider unavailable");
    else if (err != OK) reply_err(c->req, err);
    else sql_endpoint_reply(c->req, 201, c->invoice);
}

static const struct flow_step steps[] = {
    { "insert", insert }, { "ask", ask }, { "confirm", confirm }, { NULL, NULL },
};

static bool check_ewallet(struct http_request *req, const struct value *method, const struct value *ewallet)
{
    bool wants = method->set && str_eq(method->s, STR("EWALLET"));
    if (wants == ewallet->set) return true;
    struct reply_faults faults = { 0 };
    reply_fault(req, &faults, "ewallet_type", wants ? "is required with EWALLET" : "is for EWALLET only");
    reply_faults(req, &faults);
    return false;
}

static void start(struct http_request *req, int fields, struct str username)
{
    struct payments *p = app_of(req)->payments;
    if (!check_ewallet(req, &req->values[fields + METHOD], &req->values[fields + EWALLET])) return;
    if (!payments_available(p)) {
        reply_error(req, 502, "Payment provider unavailable");
        return;
    }
    struct checkout *c = arena_new(&req->arena, struct checkout);
    c->req = req;
    c->payments = p;
    c->fields = fields;
    c->username = username;
    flow_start(&c->flow, steps, finished, c);
}

void payments_checkout(struct http_request *req)
{
    start(req, 0, STR_NONE);
}

void payments_checkout_for(struct http_request *req)
{
    start(req, 1, req->values[0].s);
}
