/* What a provider says becomes what the tables say. Callbacks, the synchronisation and the sandbox end here.
 *
 * PAID is one posting: the transfer, the invoice's new status, the owner's inbox event and the receipt are
 * committed together or not at all, and the ledger's idempotency key ("invoice 17") lets it happen once,
 * however often, from however many processes it is asked for. Any other status is one guarded statement.
 * What was read of the invoice before may be out of date; both forms decide anew by the row itself. */
#include "core/log.h"
#include "core/must.h"
#include "domain/mail/outbox.h"
#include "domain/mail/text.h"
#include "domain/payments/payments_private.h"
#include "sql.h"

enum { PAID_INVOICE, PAID_AMOUNT, PAID_AT, PAID_METHOD, PAID_CHANNEL, PAID_CURRENCY, PAID_PROVIDER_ID, PAID_FIELDS };
enum { RECEIPT_USER, RECEIPT_SUBJECT, RECEIPT_TEXT, RECEIPT_HTML, RECEIPT_SHOWN, RECEIPT_DATA,
       RECEIPT_FIELDS };

void invoice_take_row(struct invoice *invoice, struct arena *arena, const struct db_result *r, int row)
{
    invoice->id = db_cell_i64(r, row, 0);
    invoice->user = db_cell_i64(r, row, 1);
    invoice->amount = db_cell_i64(r, row, 2);
    must(invoice_status_parse(db_cell(r, row, 3), &invoice->status));
    invoice->wallet = db_cell(r, row, 4).p ? db_cell_i64(r, row, 4) : 0;
    invoice->wallet_status = arena_str(arena, db_cell(r, row, 5));
    invoice->external_id = arena_str(arena, db_cell(r, row, 6));
    invoice->description = arena_str(arena, db_cell(r, row, 7));
    invoice->name = arena_str(arena, db_cell(r, row, 8));
}

/* PAID ------------------------------------------------------------------------------------------------- */

static void on_posted(struct posting *posting, enum err err)
{
    struct apply *a = posting->arg;
    if (err == OK && posting->outcome == POSTING_DONE) {
        a->changed = true;
        log_info("payments", "paid", "invoice=%.*s amount=%lld", STR_FMT(a->invoice.external_id),
                 (long long) posting->legs[0].amount);
        outbox_wake(a->payments->app->outbox);
        outbox_wake(a->payments->app->pushes);
    } else if (err == OK && posting->outcome != POSTING_REPLAYED) {
        /* The wallet was closed or frozen a moment ago, or the row is not as it should be. The provider asks again,
         * and the synchronisation does. */
        log_error("payments", "not_credited", "invoice=%.*s outcome=%s", STR_FMT(a->invoice.external_id),
                  outcome_info(posting->outcome)->name);
        err = ERR_UNAVAILABLE;
    }
    a->done(a, err);
}

static void attach_paid(struct apply *a)
{
    struct attached *row = &a->posting.attached[a->posting.attached_count++];
    *row = (struct attached){ .sql = &sql_payments_paid, .field_count = PAID_FIELDS };
    row->fields[PAID_INVOICE] = payments_number(a->arena, a->invoice.id);
    row->fields[PAID_AMOUNT] = payments_number(a->arena, a->posting.legs[0].amount);
    if (a->report.paid_us != INT64_MIN) row->fields[PAID_AT] = payments_number(a->arena, a->report.paid_us);
    row->fields[PAID_METHOD] = a->report.method;
    row->fields[PAID_CHANNEL] = a->report.channel;
    row->fields[PAID_CURRENCY] = str_from(a->payments->app->settings->currency);
    row->fields[PAID_PROVIDER_ID] = a->report.id;
}

static void attach_receipt(struct apply *a)
{
    struct mail_text mail = mail_text_receipt(a->arena, a->invoice.name, str_from(a->payments->app->settings->currency),
                                              a->posting.legs[0].amount, a->invoice.description,
                                              a->invoice.external_id);
    struct attached *row = &a->posting.attached[a->posting.attached_count++];
    *row = (struct attached){ .sql = &sql_payments_receipt, .field_count = RECEIPT_FIELDS };
    row->fields[RECEIPT_USER] = payments_number(a->arena, a->invoice.user);
    row->fields[RECEIPT_SUBJECT] = mail.subject;
    row->fields[RECEIPT_TEXT] = mail.text;
    row->fields[RECEIPT_HTML] = mail.html;
    row->fields[RECEIPT_SHOWN] = a->invoice.description;
    row->fields[RECEIPT_DATA] = arena_printf(a->arena, "{\"status\":\"PAID\",\"external_id\":\"%.*s\"}",
                                             STR_FMT(a->invoice.external_id));
}

/* What has arrived is credited, also when it is not what was asked for. */
static int64_t paid_amount(const struct apply *a)
{
    const struct report *r = &a->report;
    int64_t paid = r->paid_amount > 0 ? r->paid_amount : r->amount > 0 ? r->amount : a->invoice.amount;
    if (paid != a->invoice.amount) {
        log_warn("payments", "amount_differs", "invoice=%.*s asked=%lld paid=%lld", STR_FMT(a->invoice.external_id),
                 (long long) a->invoice.amount, (long long) paid);
    }
    return paid;
}

static enum err credit(struct apply *a)
{
    struct app *app = a->payments->app;
    const struct account *clearing = book_system(&app->book, STR("payment-clearing"));
    const struct account *closed = book_system(&app->book, STR("closed-accounts"));
    struct posting *p = &a->posting;
    if (!clearing || !closed) return ERR_UNAVAILABLE;   /* nothing has been loaded yet */
    bool has_wallet = a->invoice.wallet && !str_eq(a->invoice.wallet_status, STR("closed"));
    *p = (struct posting){ .leg_count = 1, .done = on_posted, .arg = a };
    p->legs[0] = (struct leg){ clearing->id, has_wallet ? a->invoice.wallet : closed->id, paid_amount(a),
                               STR("payment.topup") };
    p->scope = STR("payments");
    p->key = arena_printf(a->arena, "invoice %lld", (long long) a->invoice.id);
    p->request = arena_printf(a->arena, "payment.topup %lld", (long long) a->invoice.id);
    p->memo = a->invoice.description;
    p->reference_type = STR("invoice");
    p->reference_id = a->invoice.external_id;
    attach_paid(a);
    attach_receipt(a);
    return ledger_submit(app->ledger, p);
}

/* Money of another currency cannot be credited: somebody has to look at it. */
static bool is_held(const struct apply *a)
{
    struct str ours = str_from(a->payments->app->settings->currency), theirs = a->report.currency;
    if (!theirs.p || str_eq_nocase(theirs, ours)) return false;
    log_error("payments", "held", "invoice=%.*s why=currency currency=%s", STR_FMT(a->invoice.external_id),
              LOG_STR(theirs));
    return true;
}

/* Any other status ------------------------------------------------------------------------------------- */

static void on_changed(void *arg, enum err err, const struct db_result *r)
{
    struct apply *a = arg;
    if (err == ERR_SQL) log_error("payments", "change_failed", "message=%s", LOG_STR(str_from(db_message(r))));
    a->changed = err == OK && db_rows(r) > 0;
    a->done(a, err);
}

static enum err change(struct apply *a)
{
    struct db_args args;
    db_args_init(&args, a->arena);
    db_i64(&args, a->invoice.id);
    db_text(&args, invoice_status_name(a->report.status));
    db_text(&args, str_from(a->payments->app->settings->currency));
    return db_exec(a->payments->app->db, &sql_payments_change, &args, on_changed, a);
}

enum err apply_start(struct apply *a, bool *nothing)
{
    enum invoice_move move = a->report.has_status ? invoice_move(a->invoice.status, a->report.status) : INVOICE_STAYS;
    a->changed = false;
    *nothing = move == INVOICE_STAYS || (move == INVOICE_CREDITS && is_held(a));
    if (*nothing) return OK;
    return move == INVOICE_CREDITS ? credit(a) : change(a);
}
