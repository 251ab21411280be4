#include "domain/mail/outbox.h"

#include "sql.h"

/* The texts of outbox_take.sql. */
enum { TO, SUBJECT, TEXT, HTML, COLUMNS };

static enum err send_mail(void *sender, const struct parcel *parcel, void (*done)(void *arg, enum err err), void *arg)
{
    struct mail mail = { .id = parcel->id, .to = parcel->cells[TO], .subject = parcel->cells[SUBJECT],
                         .text = parcel->cells[TEXT], .html = parcel->cells[HTML] };
    return mailer_send(sender, &mail, done, arg);
}

struct outbox *mail_outbox_new(struct app *app, struct mailer *mailer)
{
    static const struct outbox_kind kind = {
        .name = "mail", .take = &sql_mail_outbox_take, .settle = &sql_mail_outbox_settle,
        .clean = &sql_mail_outbox_clean, .columns = COLUMNS, .send = send_mail,
    };
    return outbox_new(app, &kind, mailer, &app->outbox);
}
