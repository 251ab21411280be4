/* The rows of signin, and what needs no file of its own: log-out, who am I, and the reply that all
 * sign-ins share. */
#include "domain/signin/signin.h"

#include "core/log.h"
#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/signin/signin_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"
#include "web.h"

enum { REPLY_BYTES_MAX = 8192 };

#define USER_EXAMPLE "{\"_id\":\"65d3f0a1b2c3d4e5f6071828\",\"name\":\"Ada Example\",\"email\":\"ada@example.com\"}"

const struct endpoint signin_endpoints[] = {
    { .id = "BANK-01", .method = HTTP_POST, .path = "/api/auth/register", .run = signin_register, .status = 201,
      .summary = "Become a customer",
      .fields = { { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 100 },
                  { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
                  { .name = "password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 8, .max = 128 },
                  { .name = "referralCode", .aliases = "referral_code ref", .type = FIELD_TEXT,
                    .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 64, .help = "of the person who brought this one" } },
      .example = "{\"name\":\"Ada Example\",\"email\":\"ada@example.com\",\"password\":\"correct horse\"}",
      .reply = "{\"message\":\"User registered successfully\",\"user\":" USER_EXAMPLE ",\"token\":\"eyJ...\"}",
      .refusals = { "409 Email is already registered", "400 Referral code not found", SIGNIN_TOO_MANY } },
    { .id = "BANK-02", .method = HTTP_POST, .path = "/api/auth/login", .run = signin_login,
      .summary = "Log in with a password",
      .fields = { { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
                  { .name = "password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = 1000 } },
      .example = "{\"email\":\"ada@example.com\",\"password\":\"correct horse\"}",
      .reply = "{\"message\":\"Login successful\",\"user\":" USER_EXAMPLE ",\"token\":\"eyJ...\"}",
      .refusals = { "401 Invalid email or password", "403 Account is Disabled", SIGNIN_TOO_MANY } },
    { .id = "BANK-20", .method = HTTP_POST, .path = "/api/auth/logout", .auth = AUTH_OPTIONAL, .run = signin_logout,
      .flags = ENDPOINT_BODY_IGNORED, .summary = "Revoke the presented token",
      .reply = "{\"message\":\"Logged out successfully\"}" },
    { .id = "BANK-21", .method = HTTP_GET, .path = "/api/auth/me", .auth = AUTH_CUSTOMER, .run = signin_me,
      .summary = "Who the token belongs to", .reply = "{\"user\":" USER_EXAMPLE "}" },
    { .id = "BANK-26", .method = HTTP_POST, .path = "/api/auth/verify-email", .run = signin_verify_email,
      .summary = "Prove an e-mail address by the link that was sent to it",
      .fields = { { .name = "token", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .max = 200 } },
      .example = "{\"token\":\"nFHNe5bEM2uUPR2ZxvnxfH2wYAwCr0oEMXZC9VVEYfQ\"}",
      .reply = "{\"message\":\"Email verified\"}",
      .refusals = { "401 Verification link is invalid or expired" } },
    { .id = "BANK-26-RESEND", .method = HTTP_POST, .path = "/api/auth/verify-email/resend", .auth = AUTH_CUSTOMER,
      .run = signin_verify_resend, .flags = ENDPOINT_BODY_IGNORED, .summary = "Mail a new link",
      .reply = "{\"message\":\"Verification email sent\"}",
      .refusals = { "400 There is no e-mail address to verify", SIGNIN_TOO_MANY } },
    { .id = "BANK-26-PAGE", .method = HTTP_GET, .path = "/verify-email", .file = &web_verify_email_html,
      .flags = ENDPOINT_HIDDEN, .summary = "The page behind the link, with a button" },
    { 0 },
};

static void put_user(struct buf *b, const struct app *app, const struct person *p)
{
    char pid[PID_CHARS];
    pid_encode(&app->pids, PID_USER, p->id, pid);
    json_key(b, STR("user"));
    json_open(b, '{');
    json_key(b, STR("_id"));
    json_string(b, (struct str){ pid, sizeof pid });
    json_key(b, STR("name"));
    json_string(b, str_from(p->name));
    json_key(b, STR("email"));
    json_string(b, str_from(p->email));
    json_close(b, '}');
}

void signin_reply(struct signin_steps *s, int status, const char *message, enum err err)
{
    struct http_request *req = s->req;
    struct buf b;
    if (signin_refused(s, err)) return;
    struct str token = signin_token(s);
    buf_init(&b, REPLY_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("message"));
    json_string(&b, str_from(message));
    put_user(&b, app_of(req), s->result.person);
    json_key(&b, STR("token"));
    json_string(&b, token);
    json_close(&b, '}');
    auth_set_cookie(req, token);
    reply_json(req, status, buf_view(&b));
    buf_fini(&b);
}

/* BANK-20 */

static void logged_out(struct http_request *req)
{
    auth_clear_cookie(req);
    reply_json(req, 200, STR("{\"message\":\"Logged out successfully\"}"));
}

static void on_ended(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str message = db_cell(r, 0, 0);
    if (message.p) live_apply_own(app_of(req)->live, message);
    logged_out(req);
}

void signin_logout(struct http_request *req)
{
    const struct caller *caller = req->caller;
    struct db_args args;
    if (!caller || !caller->user) {
        logged_out(req);
        return;
    }
    db_args_init(&args, &req->arena);
    db_text(&args, (struct str){ caller->jti, JTI_CHARS });
    enum err err = db_exec(app_of(req)->db, &sql_signin_logout, &args, on_ended, req);
    if (err != OK) reply_err(req, err);
}

/* BANK-21 */

void signin_me(struct http_request *req)
{
    struct buf b;
    buf_init(&b, REPLY_BYTES_MAX);
    json_open(&b, '{');
    put_user(&b, app_of(req), caller_of(req)->person);
    json_close(&b, '}');
    reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}
