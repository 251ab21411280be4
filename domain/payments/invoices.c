/* USR-27, 29: what the provider says of an invoice, and cancelling it.
 *
 * Cancelling is a race with the payer, and the provider is who decides it: he is asked to expire the invoice, and
 * only when he has is it CANCELLED here. When he will not, he is asked why; a payment found that way is
 * credited. That the owner wants it cancelled is noted first: should the provider's own word of the expiry be
 * faster than his answer, it means the same. */
#include "core/flow.h"
#include "core/log.h"
#include "domain/auth/auth.h"
#include "domain/payments/payments_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

struct inquiry {
    struct flow flow;
    struct http_request *req;
    struct payments *payments;
    struct apply apply;
    struct outbound_call call;
    struct str invoice;           /* Invoice, JSON */
    bool not_found, expired;
    bool no_answer;
};

static struct str invoice_id(const struct inquiry *q)
{
    return q->req->values[0].s;
}

static enum flow_result run(struct inquiry *q, const struct sql *sql, const struct db_args *args, db_done done)
{
    enum err err = db_exec(app_of(q->req)->db, sql, args, done, q);
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&q->flow, err);
    return FLOW_FAIL;
}

/* The invoice as it stands here. */
static void on_found(void *arg, enum err err, const struct db_result *r)
{
    struct inquiry *q = arg;
    if (err == ERR_SQL) log_error("payments", "failed", "message=%s", LOG_STR(str_from(db_message(r))));
    if (err != OK) {
        flow_fail(&q->flow, err == ERR_SQL ? ERR_INTERNAL : err);
        return;
    }
    q->not_found = db_rows(r) == 0;
    if (!q->not_found) {
        invoice_take_row(&q->apply.invoice, q->apply.arena, r, 0);
        q->invoice = arena_str(&q->req->arena, db_cell(r, 0, 9));
    }
    flow_resume(&q->flow);
}

static enum flow_result find(struct inquiry *q, bool cancelling)
{
    struct db_args args;
    db_args_init(&args, &q->req->arena);
    db_i64(&args, caller_of(q->req)->user);
    db_text(&args, invoice_id(q));
    db_bool(&args, cancelling);
    return run(q, &sql_payments_own, &args, on_found);
}

static enum flow_result call(struct inquiry *q, const char *method, const char *path,
                             void (*done)(struct outbound_call *call, enum err err))
{
    struct str where = arena_printf(&q->req->arena, "%s/%.*s%s", path, STR_FMT(invoice_id(q)),
                                    *method == 'P' ? "/expire!" : "");
    xendit_call_init(q->payments, &q->call, method, where, done, q);
    if (*method == 'P') outbound_json(&q->call, STR(""));
    if (outbound_start(app_of(q->req)->outbound, &q->call) == OK) return FLOW_WAIT;
    q->no_answer = true;
    return FLOW_END;
}

static struct inquiry *new_inquiry(struct http_request *req)
{
    struct inquiry *q = arena_new(&req->arena, struct inquiry);
    q->req = req;
    q->payments = app_of(req)->payments;
    q->apply = (struct apply){ .payments = q->payments, .arena = &req->arena, .arg = q };
    return q;
}

/* USR-29 ------------------------------------------------------------------------------------------------ */

static enum flow_result find_to_cancel(void *arg)
{
    return find(arg, true);
}

static void on_expired(struct outbound_call *c, enum err err)
{
    struct inquiry *q = c->arg;
    q->expired = err == OK && c->status >= 200 && c->status < 300;
    q->no_answer = !q->expired && !(err == OK && c->status >= 400 && c->status < 500);
    flow_resume(&q->flow);
}

static enum flow_result expire(void *arg)
{
    struct inquiry *q = arg;
    if (q->not_found || q->apply.invoice.status != INVOICE_PENDING) return FLOW_END;
    if (payments_at_xendit(q->payments)) return call(q, "POST", "/invoices", on_expired);
    q->expired = true;
    return FLOW_NEXT;
}

static void on_told(struct outbound_call *c, enum err err)
{
    struct inquiry *q = c->arg;
    struct str body = arena_str(&q->req->arena, buf_view(&c->answer));
    q->no_answer = err != OK || c->status < 200 || c->status >= 300 ||
                   report_parse(body, &q->req->arena, &q->apply.report) != OK ||
                   !str_eq(q->apply.report.external_id, q->apply.invoice.external_id);
    if (q->no_answer) q->apply.report = (struct report){ 0 };
    flow_resume(&q->flow);
}

/* He would not: has it been paid? */
static enum flow_result ask_why(void *arg)
{
    struct inquiry *q = arg;
    if (q->expired) return FLOW_NEXT;
    return q->no_answer ? FLOW_END : call(q, "GET", "/v2/invoices", on_told);
}

static void on_applied(struct apply *a, enum err err)
{
    struct inquiry *q = a->arg;
    if (err == OK) flow_resume(&q->flow);
    else flow_fail(&q->flow, err == ERR_SQL ? ERR_INTERNAL : err);
}

static enum flow_result settle(void *arg)
{
    struct inquiry *q = arg;
    bool nothing;
    if (q->no_answer) return FLOW_END;
    if (q->expired) q->apply.report = (struct report){ .has_status = true, .status = INVOICE_CANCELLED };
    /* Expired there by itself in the meantime: what the owner wanted has happened. */
    else if (q->apply.report.has_status && q->apply.report.status == INVOICE_EXPIRED)
        q->apply.report.status = INVOICE_CANCELLED;
    q->apply.done = on_applied;
    enum err err = apply_start(&q->apply, &nothing);
    if (err == OK) return nothing ? FLOW_NEXT : FLOW_WAIT;
    flow_set_error(&q->flow, err);
    return FLOW_FAIL;
}

static enum flow_result find_again(void *arg)
{
    return find(arg, false);
}

static void cancelled(void *arg, enum err err)
{
    struct inquiry *q = arg;
    enum invoice_status now = q->apply.invoice.status;
    if (err != OK) {
        reply_err(q->req, err);
    } else if (q->not_found) {
        reply_error(q->req, 404, "Invoice Not Found");
    } else if (now == INVOICE_PAID) {
        reply_error(q->req, 409, "Invoice Already Paid");
    } else if (q->no_answer || now == INVOICE_PENDING) {
        reply_error(q->req, 502, "Payment provider unavailable");
    } else if (now != INVOICE_CANCELLED || q->flow.step->run == expire) {
        reply_error(q->req, 409, "Invoice Already Closed");
    } else {
        struct str head = STR("{\"status\":true,\"message\":\"Invoice cancelled\",\"data\":");
        sql_endpoint_reply(q->req, 200, arena_printf(&q->req->arena, "%.*s%.*s}", STR_FMT(head), STR_FMT(q->invoice)));
    }
}

static const struct flow_step cancel_steps[] = {
    { "find", find_to_cancel }, { "expire", expire }, { "ask", ask_why }, { "settle", settle }, { "again", find_again },
    { NULL, NULL },
};

void payments_cancel(struct http_request *req)
{
    struct inquiry *q = new_inquiry(req);
    flow_start(&q->flow, cancel_steps, cancelled, q);
}

/* USR-27 ------------------------------------------------------------------------------------------------ */

static enum flow_result find_to_show(void *arg)
{
    return find(arg, false);
}

static void on_shown(struct outbound_call *c, enum err err)
{
    struct inquiry *q = c->arg;
    struct str body = arena_str(&q->req->arena, buf_view(&c->answer));
    struct report report;
    bool good = err == OK && c->status == 200 && report_parse(body, &q->req->arena, &report) == OK;
    q->not_found = err == OK && c->status == 404;
    q->no_answer = !good && !q->not_found;
    q->invoice = body;
    flow_resume(&q->flow);
}

static enum flow_result show(void *arg)
{
    struct inquiry *q = arg;
    return q->not_found ? FLOW_END : call(q, "GET", "/v2/invoices", on_shown);
}

static void shown(void *arg, enum err err)
{
    struct inquiry *q = arg;
    if (err != OK) reply_err(q->req, err);
    else if (q->not_found) reply_error(q->req, 404, "Invoice Not Found");
    else if (q->no_answer) reply_error(q->req, 502, "Payment provider unavailable");
    else reply_json(q->req, 200, q->invoice);
}

static const struct flow_step show_steps[] = { { "find", find_to_show }, { "show", show }, { NULL, NULL } };

static void on_sandbox(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) sql_endpoint_failed(req, err, r);
    else if (db_rows(r) == 0) reply_error(req, 404, "Invoice Not Found");
    else sql_endpoint_reply(req, 200, db_cell(r, 0, 0));
}

void payments_at_provider(struct http_request *req)
{
    struct app *app = app_of(req);
    if (payments_at_xendit(app->payments)) {
        struct inquiry *q = new_inquiry(req);
        flow_start(&q->flow, show_steps, shown, q);
        return;
    }
    struct db_args args;
    sql_endpoint_args(req, &args);
    db_text(&args, str_from(app->settings->currency));
    enum err err = db_exec(app->db, &sql_payments_sandbox_invoice, &args, on_sandbox, req);
    if (err != OK) reply_err(req, err);
}
