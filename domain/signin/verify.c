/* BANK-26: the link that proves an e-mail address. A link in a mail is opened by scanners and
 * previews too, so it leads to a page (web/verify-email.html) whose button does it, and the page itself changes
 * nothing. */
#include "domain/auth/auth.h"
#include "domain/mail/outbox.h"
#include "domain/mail/text.h"
#include "domain/referral/referral.h"
#include "domain/signin/signin_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

static void reply_verified(void *arg)
{
    reply_json(arg, 200, STR("{\"message\":\"Email verified\"}"));
}

static void on_verified(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
    } else if (db_rows(r) == 0) {
        reply_error(req, 401, "Verification link is invalid or expired");
    } else {
        bool due = db_cell_bool(r, 0, 1);
        if (!due || referral_settle(app_of(req)->referrals, db_cell_i64(r, 0, 0), reply_verified, req) != OK)
            reply_verified(req);
    }
}

void signin_verify_email(struct http_request *req)
{
    uint8_t hash[SHA256_BYTES];
    struct db_args args;
    sha256(req->values[0].s, hash);
    db_args_init(&args, &req->arena);
    db_bytes(&args, (struct str){ (const char *) hash, sizeof hash });
    enum err err = db_exec(app_of(req)->db, &sql_signin_verify_email, &args, on_verified, req);
    if (err != OK) reply_err(req, err);
}

static void on_asked(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
    } else if (db_rows(r) == 0 || !db_cell_bool(r, 0, 0)) {
        reply_error(req, 400, "There is no e-mail address to verify");
    } else if (db_cell_bool(r, 0, 1)) {
        reply_json(req, 200, STR("{\"message\":\"Email is already verified\"}"));
    } else if (db_cell_i64(r, 0, 2)) {
        reply_error_retry(req, 429, "Too many attempts, try again later", (int) db_cell_i64(r, 0, 2));
    } else {
        outbox_wake(app_of(req)->outbox);
        reply_json(req, 200, STR("{\"message\":\"Verification email sent\"}"));
    }
}

void signin_verify_resend(struct http_request *req)
{
    struct app *app = app_of(req);
    const struct person *person = caller_of(req)->person;
    struct signin_link link = signin_link_new(app, &req->arena, "/verify-email");
    struct mail_text mail = mail_text_verify(&req->arena, str_from(person->name), link.url);
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_i64(&args, person->id);
    db_bool(&args, app->settings->rate_limit);
    db_bytes(&args, (struct str){ (const char *) link.hash, sizeof link.hash });
    db_text(&args, mail.subject);
    db_text(&args, mail.text);
    db_text(&args, mail.html);
    enum err err = db_exec(app->db, &sql_signin_verify_resend, &args, on_asked, req);
    if (err != OK) reply_err(req, err);
}
