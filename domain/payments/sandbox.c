/* USR-69, 70: the provider inside the server, while no other is configured: a page for the payer, and what its
 * two buttons do. */
#include "domain/payments/payments_private.h"
#include "domain/sql_endpoint.h"
#include "http/file.h"
#include "sql.h"
#include "web.h"

enum { INVOICE_ID, ACTION };   /* the fields */

struct act {
    struct http_request *req;
    struct gathered taken;
    struct apply apply;
};

static bool is_here(struct http_request *req)
{
    const struct app *app = app_of(req);
    if (!payments_at_xendit(app->payments)) return true;
    reply_error(req, 404, "Not Found");
    return false;
}

/* USR-69 ------------------------------------------------------------------------------------------------ */

static void on_found(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) sql_endpoint_failed(req, err, r);
    else if (db_rows(r) == 0) reply_error(req, 404, "Invoice Not Found");
    else reply_file(req, &web_sandbox_html);
}

void payments_sandbox_page(struct http_request *req)
{
    struct db_args args;
    if (!is_here(req)) return;
    db_args_init(&args, &req->arena);
    db_null(&args);
    db_text(&args, req->values[INVOICE_ID].s);
    enum err err = db_exec(app_of(req)->db, &sql_payments_detail, &args, on_found, req);
    if (err != OK) reply_err(req, err);
}

/* USR-70 ------------------------------------------------------------------------------------------------ */

static void on_read(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) sql_endpoint_failed(req, err, r);
    else sql_endpoint_reply(req, 200, db_cell(r, 0, 0));
}

static void reply_invoice(struct http_request *req)
{
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_null(&args);
    db_text(&args, req->values[INVOICE_ID].s);
    enum err err = db_exec(app_of(req)->db, &sql_payments_detail, &args, on_read, req);
    if (err != OK) reply_err(req, err);
}

static void on_applied(struct apply *a, enum err err)
{
    struct act *act = a->arg;
    if (err == OK) reply_invoice(act->req);
    else reply_err(act->req, err == ERR_SQL ? ERR_INTERNAL : err);
}

static void on_taken(struct gathered *g, enum err err, const struct db_result *r, int row)
{
    struct act *act = g->arg;
    bool nothing;
    if (err != OK) {
        sql_endpoint_failed(act->req, err, r);
        return;
    }
    if (row < 0) {
        reply_error(act->req, 404, "Invoice Not Found");
        return;
    }
    invoice_take_row(&act->apply.invoice, act->apply.arena, r, row);
    err = apply_start(&act->apply, &nothing);
    if (err != OK) reply_err(act->req, err);
    else if (nothing) reply_invoice(act->req);
}

void payments_sandbox_act(struct http_request *req)
{
    struct app *app = app_of(req);
    bool pays = str_eq(req->values[ACTION].s, STR("pay"));
    if (!is_here(req)) return;
    if (!app->settings->open || app->settings->production || (!pays && !str_eq(req->values[ACTION].s, STR("expire")))) {
        reply_error(req, 404, "Not Found");
        return;
    }
    struct act *act = arena_new(&req->arena, struct act);
    act->req = req;
    act->apply = (struct apply){ .payments = app->payments, .arena = &req->arena, .done = on_applied, .arg = act };
    act->apply.report = (struct report){ .id = req->values[INVOICE_ID].s, .has_status = true,
                                         .status = pays ? INVOICE_PAID : INVOICE_EXPIRED,
                                         .amount = -1, .paid_amount = -1, .paid_us = INT64_MIN };
    struct str said = arena_printf(&req->arena, "{\"id\":\"%.*s\",\"status\":\"%s\"}",
                                   STR_FMT(req->values[INVOICE_ID].s), pays ? "PAID" : "EXPIRED");
    enum err err = payments_take(app->payments, &act->taken, &act->apply.report, said, on_taken, act);
    if (err != OK) reply_err(req, err);
}
