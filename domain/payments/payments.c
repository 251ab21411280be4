/* The payments of the userstate surface, one row each. */
#include "domain/payments/payments.h"

#include <string.h>

#include "core/digest.h"
#include "core/log.h"
#include "core/mem.h"
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/payments/payout.h"
#include "domain/payments/sync.h"
#include "sql.h"

#define INVOICE_MEMBERS(status, paid_at)                                                                              \
    "{\"invoice_id\":\"inv_3f2b8c\",\"external_id\":\"tally-91d0e4\",\"username\":\"john_doe\",\"amount\":100000,"    \
    "\"status\":\"" status "\",\"payment_method\":\"EWALLET\",\"payment_channel\":\"OVO\","                           \
    "\"description\":\"Top-up\",\"invoice_url\":\"https://checkout.example.com/inv_3f2b8c\","                         \
    "\"expiry_date\":\"2026-02-10T10:00:00.000Z\",\"created_at\":\"2026-02-09T10:00:00.000Z\","                       \
    "\"updated_at\":\"2026-02-09T10:00:00.000Z\",\"paid_at\":" paid_at "}"
#define INVOICE_EXAMPLE INVOICE_MEMBERS("PENDING", "null")

#define PAYOUT_EXAMPLE                                                                                                \
    "{\"payout_id\":\"po_3f2b8c\",\"username\":\"john_doe\",\"amount\":5,\"status\":\"COMPLETED\","                   \
    "\"bank_code\":\"BCA\",\"account_number\":\"1234567890\",\"account_holder_name\":\"John Doe\","                   \
    "\"description\":\"Savings\",\"reference_id\":\"tally-po-7d1c\","                                                 \
    "\"created_at\":\"2026-02-09T10:00:00.000Z\",\"updated_at\":\"2026-02-09T10:00:00.000Z\"}"

#define FIELDS_OF_CHECKOUT(required)                                                                                  \
    { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1, .max = 999999999999999,               \
      .help = "more than 0, at most 2 decimals" },                                                                    \
    { .name = "description", .type = FIELD_TEXT, .flags = (required) | FIELD_TRIM, .min = 1, .max = 255 },            \
    { .name = "payment_method", .type = FIELD_ENUM, .flags = FIELD_NULLABLE,                                          \
      .choices = "EWALLET VIRTUAL_ACCOUNT QR_CODE RETAIL_OUTLET CREDIT_CARD", .help = "unset: the payer chooses" },   \
    { .name = "ewallet_type", .type = FIELD_ENUM, .flags = FIELD_NULLABLE,                                            \
      .choices = "OVO DANA LINKAJA SHOPEEPAY ASTRAPAY", .help = "with EWALLET" }

#define FIELD_INVOICE_ID(where, required)                                                                             \
    { .name = "invoice_id", .in = where, .type = FIELD_TEXT, .flags = required, .min = 1, .max = 128 }

#define SAID(field, what)                                                                                             \
    { .name = field, .type = what, .flags = FIELD_NULLABLE }

#define NO_INVOICE "404 Invoice Not Found"
#define NO_PROVIDER "502 Payment provider unavailable"

enum { SWEEP_MS = 60 * 1000, SYNC_RETRY_S = 15 };

/* USR-44 */

static void on_synchronised(void *arg, enum err err, int64_t checked, int64_t updated)
{
    struct http_request *req = arg;
    if (err == ERR_FULL) {
        reply_error_retry(req, 409, "Synchronisation is already running", SYNC_RETRY_S);
    } else if (err != OK) {
        reply_err(req, err);
    } else {
        struct str head = STR("{\"status\":true,\"message\":\"Synchronisation finished\",\"data\":");
        reply_json(req, 200, arena_printf(&req->arena, "%.*s{\"checked\":%lld,\"updated\":%lld}}", STR_FMT(head),
                                          (long long) checked, (long long) updated));
    }
}

static void synchronise(struct http_request *req)
{
    enum err err = sync_run(app_of(req)->payments->sync, on_synchronised, req);
    if (err != OK) on_synchronised(req, err, 0, 0);
}

const struct endpoint payments_endpoints[] = {
    { .id = "USR-21", .method = HTTP_POST, .path = "/payment-checkout", .auth = AUTH_CUSTOMER,
      .run = payments_checkout, .status = 201, .summary = "An invoice that fills the caller's wallet when it is paid",
      .fields = { FIELDS_OF_CHECKOUT(FIELD_REQUIRED) },
      .example = "{\"amount\":100000,\"description\":\"Top-up\",\"payment_method\":\"EWALLET\","
                 "\"ewallet_type\":\"OVO\"}",
      .reply = INVOICE_EXAMPLE, .refusals = { NO_PROVIDER } },
    { .id = "USR-22", .method = HTTP_POST, .path = "/sys/payment-checkout", .auth = AUTH_KEY_USERSTATE,
      .run = payments_checkout_for, .status = 201, .summary = "The same for a user, by a service",
      .fields = { { .name = "username", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 64 },
                  FIELDS_OF_CHECKOUT(0) },
      .example = "{\"username\":\"john_doe\",\"amount\":100000,\"payment_method\":\"EWALLET\","
                 "\"ewallet_type\":\"OVO\"}",
      .reply = INVOICE_EXAMPLE, .refusals = { "500 Account does not exist", NO_PROVIDER } },
    { .id = "USR-23", .method = HTTP_POST, .path = "/payment-callback", .auth = AUTH_CALLBACK, .run = payments_callback,
      .summary = "The payment provider tells what became of an invoice",
      .description = "Authenticated by the header x-callback-token. Members not named here are kept in the log.",
      .fields = { SAID("id", FIELD_TEXT), SAID("external_id", FIELD_TEXT),
                  { .name = "status", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = 64 },
                  SAID("amount", FIELD_MONEY), SAID("paid_amount", FIELD_MONEY), SAID("paid_at", FIELD_TIME),
                  SAID("currency", FIELD_TEXT), SAID("payment_method", FIELD_TEXT), SAID("payment_channel", FIELD_TEXT),
                  SAID("ewallet_type", FIELD_TEXT), SAID("bank_code", FIELD_TEXT) },
      .example = "{\"id\":\"inv_3f2b8c\",\"external_id\":\"tally-91d0e4\",\"status\":\"PAID\",\"amount\":100000,"
                 "\"paid_amount\":100000,\"paid_at\":\"2026-02-09T10:05:00.000Z\",\"payment_method\":\"EWALLET\"}",
      .reply = "{\"status\":true,\"message\":\"Callback processed\"}", .refusals = { NO_INVOICE } },
    { .id = "USR-26", .method = HTTP_GET, .path = "/invoice/detail", .sql = &sql_payments_detail,
      .not_found = "Invoice Not Found", .summary = "An invoice, for whoever knows its id",
      .fields = { FIELD_INVOICE_ID(IN_QUERY, FIELD_REQUIRED) },
      .reply = INVOICE_MEMBERS("PAID", "\"2026-02-09T10:05:00.000Z\"") },
    { .id = "USR-27", .method = HTTP_GET, .path = "/invoice/detail/xendit", .auth = AUTH_CUSTOMER,
      .run = payments_at_provider, .summary = "An invoice of the caller's as the provider reports it",
      .fields = { FIELD_INVOICE_ID(IN_QUERY, FIELD_REQUIRED) },
      .reply = "{\"id\":\"inv_3f2b8c\",\"external_id\":\"tally-91d0e4\",\"user_id\":\"sandbox\",\"status\":\"PENDING\","
               "\"merchant_name\":\"tally\",\"amount\":100000,\"payer_email\":\"john@example.com\","
               "\"description\":\"Top-up\",\"invoice_url\":\"https://checkout.example.com/inv_3f2b8c\","
               "\"expiry_date\":\"2026-02-10T10:00:00.000Z\",\"created\":\"2026-02-09T10:00:00.000Z\","
               "\"updated\":\"2026-02-09T10:00:00.000Z\",\"currency\":\"USD\"}",
      .refusals = { NO_INVOICE, NO_PROVIDER } },
    { .id = "USR-28", .method = HTTP_GET, .path = "/invoice/list/xendit", .auth = AUTH_CUSTOMER,
      .sql = &sql_payments_list, .summary = "The caller's invoices, newest first",
      .fields = { { .name = "status", .in = IN_QUERY, .type = FIELD_ENUM,
                    .choices = "PENDING PAID EXPIRED CANCELLED FAILED" },
                  { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" },
                  { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100000, .initial = "1" } },
      .reply = "[" INVOICE_EXAMPLE "]" },
    { .id = "USR-29", .method = HTTP_POST, .path = "/invoice/cancel/xendit", .auth = AUTH_CUSTOMER,
      .run = payments_cancel, .summary = "Cancel an open invoice of the caller's",
      .fields = { FIELD_INVOICE_ID(IN_BODY, FIELD_REQUIRED) },
      .example = "{\"invoice_id\":\"inv_3f2b8c\"}",
      .reply = "{\"status\":true,\"message\":\"Invoice cancelled\",\"data\":"
               INVOICE_MEMBERS("CANCELLED", "null") "}",
      .refusals = { NO_INVOICE, "409 Invoice Already Paid", "409 Invoice Already Closed", NO_PROVIDER } },
    { .id = "USR-32", .method = HTTP_POST, .path = "/bank/list", .sql = &sql_payments_banks,
      .summary = "Banks for payouts, or for virtual accounts",
      .fields = { { .name = "type", .type = FIELD_ENUM, .choices = "DISBURSEMENT VIRTUAL_ACCOUNT",
                    .initial = "DISBURSEMENT" } },
      .example = "{\"type\":\"DISBURSEMENT\"}",
      .reply = "[{\"code\":\"BCA\",\"name\":\"Bank Central Asia (BCA)\",\"can_disburse\":true,"
               "\"can_name_validate\":true}]" },
    { .id = "USR-33", .method = HTTP_GET, .path = "/payment/list", .sql = &sql_payments_types,
      .summary = "The ways to pay, with their channels",
      .reply = "[{\"payment_method\":\"EWALLET\",\"name\":\"E-Wallet\",\"channels\":[{\"code\":\"OVO\","
               "\"name\":\"OVO\"}],\"is_active\":true}]" },
    { .id = "USR-44", .method = HTTP_GET, .path = "/scheduler", .auth = AUTH_KEY_USERSTATE, .run = synchronise,
      .flags = ENDPOINT_CHANGES, .summary = "Run the payment synchronisation now",
      .reply = "{\"status\":true,\"message\":\"Synchronisation finished\","
               "\"data\":{\"checked\":12,\"updated\":3}}",
      .refusals = { "409 Synchronisation is already running" } },
    { .id = "USR-63", .method = HTTP_POST, .path = "/payout", .auth = AUTH_CUSTOMER, .run = payments_payout,
      .status = 201, .summary = "Pay from the caller's wallet to a bank account",
      .description = "With the header Idempotency-Key a repeat has no effect and shows the payout of the first time.",
      .fields = { { .name = "amount", .type = FIELD_MONEY, .flags = FIELD_REQUIRED, .min = 1, .max = 999999999999999,
                    .help = "more than 0, at most 2 decimals" },
                  { .name = "bank_code", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 32,
                    .help = "one of USR-32" },
                  { .name = "account_number", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM,
                    .min = 1, .max = 64 },
                  { .name = "account_holder_name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM,
                    .min = 1, .max = 128 },
                  { .name = "description", .type = FIELD_TEXT, .flags = FIELD_NULLABLE | FIELD_TRIM, .max = 100 } },
      .example = "{\"amount\":5,\"bank_code\":\"BCA\",\"account_number\":\"1234567890\","
                 "\"account_holder_name\":\"John Doe\",\"description\":\"Savings\"}",
      .reply = PAYOUT_EXAMPLE, .refusals = { "400 Insufficient Balance", IDEMPOTENCY_CONFLICT, NO_PROVIDER } },
    { .id = "USR-64", .method = HTTP_GET, .path = "/payout/list", .auth = AUTH_CUSTOMER,
      .sql = &sql_payments_payout_list, .summary = "The caller's payouts, newest first",
      .reply = "[" PAYOUT_EXAMPLE "]" },
    { .id = "USR-65", .method = HTTP_GET, .path = "/payout/detail", .auth = AUTH_CUSTOMER,
      .sql = &sql_payments_payout_detail, .not_found = "Payout Not Found", .summary = "One payout of the caller's",
      .fields = { { .name = "payout_id", .in = IN_QUERY, .type = FIELD_TEXT, .flags = FIELD_REQUIRED,
                    .min = 1, .max = 128 } },
      .reply = PAYOUT_EXAMPLE },
    { .id = "USR-66", .method = HTTP_POST, .path = "/payout-callback", .auth = AUTH_CALLBACK,
      .run = payments_payout_callback, .summary = "The payment provider tells what became of a payout",
      .fields = { { .name = "data", .type = FIELD_OBJECT, .flags = FIELD_REQUIRED, .max = 65536,
                    .help = "id or reference_id, and status" } },
      .example = "{\"event\":\"payout.succeeded\",\"data\":{\"id\":\"disb-1\","
                 "\"reference_id\":\"tally-po-7d1c\",\"status\":\"SUCCEEDED\"}}",
      .reply = "{\"status\":true,\"message\":\"Callback processed\"}", .refusals = { "404 Payout Not Found" } },
    { .id = "USR-69", .method = HTTP_GET, .path = "/sandbox/invoices/:invoice_id", .run = payments_sandbox_page,
      .flags = ENDPOINT_HIDDEN, .summary = "The sandbox provider's page of an invoice",
      .fields = { FIELD_INVOICE_ID(IN_PATH, 0) } },
    { .id = "USR-70", .method = HTTP_POST, .path = "/sandbox/invoices/:invoice_id/:action", .run = payments_sandbox_act,
      .flags = ENDPOINT_BODY_IGNORED, .summary = "Pay an invoice of the sandbox provider, or let it expire",
      .description = "Only with TALLY_OPEN=1, never in production.",
      .fields = { FIELD_INVOICE_ID(IN_PATH, 0),
                  { .name = "action", .in = IN_PATH, .type = FIELD_TEXT, .max = 16, .help = "pay or expire" } },
      .reply = INVOICE_MEMBERS("PAID", "\"2026-02-09T10:05:00.000Z\""), .refusals = { NO_INVOICE } },
    { 0 },
};

bool payments_available(const struct payments *p)
{
    return payments_at_xendit(p) || !p->app->settings->production;
}

struct str payments_new_id(const char *prefix, struct arena *arena)
{
    uint8_t secret[EXTERNAL_ID_BYTES];
    char hex[2 * EXTERNAL_ID_BYTES];
    struct buf b = { .p = hex, .cap = sizeof hex, .max = sizeof hex };
    random_bytes(secret, sizeof secret);
    buf_hex(&b, secret, sizeof secret);
    return arena_printf(arena, "%s%.*s", prefix, STR_FMT(buf_view(&b)));
}

enum { TAKE_EXTERNAL_ID, TAKE_ID, TAKE_BODY, TAKE_FIELDS };

enum err payments_take(struct payments *p, struct gathered *g, const struct report *report, struct str body,
                       void (*done)(struct gathered *g, enum err err, const struct db_result *r, int row), void *arg)
{
    g->fields[TAKE_EXTERNAL_ID] = report->external_id;
    g->fields[TAKE_ID] = report->id;
    g->fields[TAKE_BODY] = body;
    g->done = done;
    g->arg = arg;
    return gather_add(&p->takes, g);
}

static void use_xendit(struct payments *p)
{
    const struct settings *settings = p->app->settings;
    size_t n = strlen(settings->xendit_base_url);
    while (n > 0 && settings->xendit_base_url[n - 1] == '/') n--;
    p->base_url = arena_cstr(&p->arena, (struct str){ settings->xendit_base_url, n });
    struct str proof = base64_encode(&p->arena, arena_printf(&p->arena, "%s:", settings->xendit_secret_key));
    p->authorization = arena_printf(&p->arena, "Basic %.*s", STR_FMT(proof));
}

static void on_sweep(struct wheel_timer *timer)
{
    struct payments *p = list_entry(timer, struct payments, sweep);
    wheel_set(p->app->wheel, timer, SWEEP_MS);
    payout_sweep(p);
}

static void on_close(struct turn_item *item)
{
    struct payments *p = list_entry(item, struct payments, close_item);
    p->closed(p->closed_arg);
}

void payments_close_if_quiet(struct payments *p)
{
    if (p->closing && p->sync_closed && !p->payouts_under_way && !p->sweeping)
        turn_defer(&p->app->turn, &p->close_item);
}

struct payments *payments_new(struct app *app)
{
    struct payments *p = mem_new(struct payments);
    p->app = app;
    arena_init(&p->arena);
    if (app->settings->xendit_secret_key) use_xendit(p);
    arena_init(&p->sweep_arena);
    gather_init(&p->takes, app, &sql_payments_take, TAKE_FIELDS);
    gather_init(&p->inserts, app, &sql_payments_insert, INSERT_FIELDS);
    turn_item_init(&p->close_item, on_close);
    wheel_timer_init(&p->sweep, on_sweep);
    wheel_set(app->wheel, &p->sweep, SWEEP_MS);
    p->sync = sync_new(p);
    log_info("tallyd", "service", "name=payments active=%s",
             payments_at_xendit(p) ? "xendit" : payments_available(p) ? "sandbox" : "none");
    return p;
}

static void on_sync_closed(void *arg)
{
    struct payments *p = arg;
    p->sync_closed = true;
    payments_close_if_quiet(p);
}

void payments_close(struct payments *p, void (*closed)(void *arg), void *arg)
{
    p->closing = true;
    p->closed = closed;
    p->closed_arg = arg;
    wheel_cancel(&p->sweep);
    sync_close(p->sync, on_sync_closed, p);
}

void payments_free(struct payments *p)
{
    gather_fini(&p->takes);
    gather_fini(&p->inserts);
    arena_fini(&p->sweep_arena);
    arena_fini(&p->arena);
    mem_free(p);
}
