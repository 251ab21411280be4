/* What the files of domain/payments share. */
#pragma once

#include "core/outbound.h"
#include "domain/gather/gather.h"
#include "domain/payments/payments.h"
#include "domain/payments/report.h"

enum { EXTERNAL_ID_BYTES = 16, INVOICE_JSON_MAX = 1 << 16 };

struct payments {
    struct app *app;
    struct arena arena;
    const char *base_url;         /* Xendit's, without a slash at its end; NULL: the sandbox */
    struct str authorization;     /* "Basic …" */
    struct gather takes, inserts; /* what callbacks and check-outs run first */
    struct sync *sync;
    int payouts_under_way;
    bool sweeping;                /* the statement is under way */
    struct arena sweep_arena;
    struct wheel_timer sweep;
    bool closing, sync_closed;
    struct turn_item close_item;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* The fields of insert.sql. */
enum { INSERT_USER, INSERT_USERNAME, INSERT_AMOUNT, INSERT_DESCRIPTION, INSERT_METHOD, INSERT_EWALLET, INSERT_PROVIDER,
       INSERT_EXTERNAL_ID, INSERT_ID, INSERT_URL, INSERT_FIELDS };

void payments_close_if_quiet(struct payments *p);

/* Is there anybody to be asked? In production there is no sandbox. */
bool payments_available(const struct payments *p);
static inline bool payments_at_xendit(const struct payments *p) { return p->base_url != NULL; }

static inline struct str payments_number(struct arena *arena, int64_t v)
{
    return arena_printf(arena, "%lld", (long long) v);
}

/* prefix + 32 hexadecimal characters of randomness. */
struct str payments_new_id(const char *prefix, struct arena *arena);

/* xendit.c: a call to the provider, with the key; the path begins with a slash. */
void xendit_call_init(struct payments *p, struct outbound_call *call, const char *method, struct str path,
                      void (*done)(struct outbound_call *call, enum err err), void *arg);
/* A well-formed no: whatever was asked for has not been done and will not be. */
bool xendit_refused(const struct outbound_call *call, enum err err);

/* payments.c: keeps what the provider has sent and finds the invoice that `report` names: the columns of
 * invoice_take_row. `body` and the report's texts live until `done`. As gather_add. */
enum err payments_take(struct payments *p, struct gathered *g, const struct report *report, struct str body,
                       void (*done)(struct gathered *g, enum err err, const struct db_result *r, int row), void *arg);

/* An invoice as it was read. */
struct invoice {
    int64_t id, user, amount, wallet;   /* wallet: account id, 0: none */
    struct str wallet_status, external_id, description, name;
    enum invoice_status status;
};

/* Reads the columns that all statements which find invoices begin with: id, user, amount, status, wallet, wallet's
 * status, external_id, description, name. The texts go into the arena. */
void invoice_take_row(struct invoice *invoice, struct arena *arena, const struct db_result *r, int row);

/* apply.c: brings what a provider says about an invoice into the tables, once. */
struct apply {
    /* Set by the caller; lives, with what it points to, until `done`. */
    struct payments *payments;
    struct arena *arena;
    struct invoice invoice;
    struct report report;
    void (*done)(struct apply *a, enum err err);
    void *arg;

    /* Set before `done`. */
    bool changed;
    struct posting posting;
};
/* OK: done comes once, later: OK; ERR_UNAVAILABLE, ERR_UNCERTAIN …: not known to be done, to be asked again.
 * *nothing: there is nothing to do, done does not come. Another err: it could not be begun. */
enum err apply_start(struct apply *a, bool *nothing);

/* Handlers. */
void payments_checkout(struct http_request *req);
void payments_checkout_for(struct http_request *req);
void payments_callback(struct http_request *req);
void payments_at_provider(struct http_request *req);
void payments_cancel(struct http_request *req);
void payments_sandbox_page(struct http_request *req);
void payments_sandbox_act(struct http_request *req);
