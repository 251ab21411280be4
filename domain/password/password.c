/* The rows of password, and USR-05: a link by mail.
 *
 * Whether there is an account, neither the answer nor its time tells: the statement counts the request and commits
 * either way, and the mail is sent later, by the queue. */
#include "domain/password/password.h"

#include "domain/auth/auth.h"
#include "domain/mail/text.h"
#include "domain/outbox/outbox.h"
#include "domain/password/password_private.h"
#include "domain/signin/signin.h"
#include "domain/sql_endpoint.h"
#include "sql.h"
#include "web.h"

const struct endpoint password_endpoints[] = {
    { .id = "USR-05", .method = HTTP_POST, .path = "/request-reset-pwd", .run = password_request,
      .summary = "Mail a link to a new password",
      .fields = { { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED } },
      .example = "{\"email\":\"john@example.com\"}",
      .reply = "{\"status\":true,\"message\":\"Reset link sent\"}", .refusals = { SIGNIN_TOO_MANY } },
    { .id = "USR-06", .method = HTTP_POST, .path = "/reset-pwd", .run = password_reset,
      .summary = "A new password by the link's token",
      .description = "The token comes in the query, in the body or as Bearer. Every token of the user ends.",
      .fields = { { .name = "token", .in = IN_QUERY, .type = FIELD_TEXT, .max = 4096 },
                  { .name = "token", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .max = 4096 },
                  { .name = "password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 8, .max = 128 } },
      .example = "{\"token\":\"nFHNe5bEM2uUPR2ZxvnxfH2wYAwCr0oEMXZC9VVEYfQ\",\"password\":\"battery staple\"}",
      .reply = "{\"status\":true,\"message\":\"Password updated\"}", .refusals = { "401 Unauthorized" } },
    { .id = "USR-06-PAGE", .method = HTTP_GET, .path = "/reset-pwd", .file = &web_reset_pwd_html,
      .flags = ENDPOINT_HIDDEN, .summary = "The page behind the link, when there is no front end" },
    { .id = "USR-07", .method = HTTP_POST, .path = "/update-pwd", .auth = AUTH_CUSTOMER, .run = password_update,
      .summary = "Change one's own password",
      .description = "Every token of the user ends, the presented one included; the returned one takes its place.",
      .fields = { { .name = "old_password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED },
                  { .name = "new_password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 8, .max = 128 } },
      .example = "{\"old_password\":\"correct horse\",\"new_password\":\"battery staple\"}",
      .reply = "{\"status\":true,\"message\":\"Password updated\",\"token\":\"eyJ...\"}",
      .refusals = { "422 Invalid Credential", SIGNIN_TOO_MANY } },
    { 0 },
};

static void on_requested(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    struct app *app = app_of(req);
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    outbox_wake(app->outbox);
    if (db_cell_i64(r, 0, 0)) {
        reply_error_retry(req, 429, "Too many attempts, try again later", (int) db_cell_i64(r, 0, 0));
    } else if (!db_cell_bool(r, 0, 1) && app->settings->open) {
        reply_error(req, 500, "Account does not exist");
    } else {
        reply_json(req, 200, STR("{\"status\":true,\"message\":\"Reset link sent\"}"));
    }
}

void password_request(struct http_request *req)
{
    struct app *app = app_of(req);
    struct signin_link link = signin_link_new(app, &req->arena, "/reset-pwd");
    struct mail_text mail = mail_text_reset(&req->arena, STR_NONE, link.url);
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, req->values[0].s);
    db_bool(&args, app->settings->rate_limit);
    db_bytes(&args, (struct str){ (const char *) link.hash, sizeof link.hash });
    db_text(&args, mail.subject);
    db_text(&args, mail.text);
    db_text(&args, mail.html);
    enum err err = db_exec(app->db, &sql_password_request, &args, on_requested, req);
    if (err != OK) reply_err(req, err);
}
