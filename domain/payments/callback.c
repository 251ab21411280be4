/* USR-23: what the provider says by itself. The token was checked by the gate. */
#include "domain/auth/auth.h"
#include "domain/payments/payments_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

struct callback {
    struct http_request *req;
    struct gathered taken;
    struct apply apply;
};

static void reply_processed(struct http_request *req)
{
    reply_json(req, 200, STR("{\"status\":true,\"message\":\"Callback processed\"}"));
}

static void on_applied(struct apply *a, enum err err)
{
    struct callback *c = a->arg;
    if (err == OK) reply_processed(c->req);
    else reply_err(c->req, err == ERR_SQL ? ERR_INTERNAL : err);
}

static void on_taken(struct gathered *g, enum err err, const struct db_result *r, int row)
{
    struct callback *c = g->arg;
    bool nothing;
    if (err != OK) {
        sql_endpoint_failed(c->req, err, r);
        return;
    }
    if (row < 0) {
        reply_error(c->req, 404, "Invoice Not Found");
        return;
    }
    invoice_take_row(&c->apply.invoice, c->apply.arena, r, row);
    err = apply_start(&c->apply, &nothing);
    if (err != OK) reply_err(c->req, err);
    else if (nothing) reply_processed(c->req);
}

void payments_callback(struct http_request *req)
{
    struct app *app = app_of(req);
    struct callback *c = arena_new(&req->arena, struct callback);
    c->req = req;
    c->apply = (struct apply){ .payments = app->payments, .arena = &req->arena, .done = on_applied, .arg = c };
    if (report_read(req->json, &c->apply.report) != OK) {
        reply_error(req, 400, "Validation failed");
        return;
    }
    const struct report *report = &c->apply.report;
    if (!report->id.p && !report->external_id.p) {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "external_id", "this or id is required");
        reply_faults(req, &faults);
        return;
    }
    enum err err = payments_take(app->payments, &c->taken, report, req->body, on_taken, c);
    if (err != OK) reply_err(req, err);
}
