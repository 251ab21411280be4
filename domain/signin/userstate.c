/* The rows of the userstate surface about one's own sessions: USR-01, 08 to 11. */
#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/signin/signin_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

const struct endpoint signin_userstate_endpoints[] = {
    { .id = "USR-01", .method = HTTP_POST, .path = "/auth", .run = signin_auth,
      .summary = "Sign in by username or e-mail",
      .fields = { { .name = "username", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .max = 254,
                    .help = "or the e-mail" },
                  { .name = "password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED } },
      .example = "{\"username\":\"john_doe\",\"password\":\"correct horse\"}",
      .reply = "{\"token\":\"eyJ...\",\"agent\":false}",
      .refusals = { "422 Invalid Credential", "403 Account is Not Confirmed", "403 OTP Not Confirmed",
                    "403 Account is Disabled", SIGNIN_TOO_MANY } },
    { .id = "USR-08", .method = HTTP_GET, .path = "/extend", .auth = AUTH_CUSTOMER, .run = signin_extend,
      .flags = ENDPOINT_CHANGES, .summary = "A new token with its full life",
      .reply = "{\"token\":\"eyJ...\"}" },
    { .id = "USR-09", .method = HTTP_GET, .path = "/verify", .auth = AUTH_CUSTOMER_QUERY, .run = signin_show,
      .summary = "Whose token it is",
      .fields = { { .name = "token", .in = IN_QUERY, .type = FIELD_TEXT, .max = 4096,
                    .help = "when it does not come as Bearer or cookie" } },
      .reply = "{\"status\":true,\"user\":\"john_doe\",\"agent\":false,\"exp\":1770631200}" },
    { .id = "USR-10", .method = HTTP_GET, .path = "/logoff", .auth = AUTH_CUSTOMER, .run = signin_logoff,
      .flags = ENDPOINT_CHANGES, .summary = "Revoke the presented token",
      .reply = "{\"status\":true,\"message\":\"Logged off\"}" },
    { .id = "USR-11", .method = HTTP_POST, .path = "/deactivate", .auth = AUTH_CUSTOMER, .sql = &sql_signin_deactivate,
      .summary = "Disable one's own account; every token and socket of it ends",
      .fields = { { .name = "reason", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE,
                    .min = 1, .max = 500 } },
      .example = "{\"reason\":\"I do not need it any more\"}",
      .reply = "{\"status\":true,\"message\":\"Account deactivated\"}" },
    { 0 },
};

/* USR-08 */

static void on_extended(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
    } else if (db_rows(r) == 0) {
        reply_error(req, 401, "Unauthorized");   /* it ended while it was being looked at */
    } else {
        struct buf b;
        buf_init(&b, 8192);
        json_open(&b, '{');
        json_key(&b, STR("token"));
        json_string(&b, auth_sign(app_of(req)->auth, caller_of(req)->person, db_cell(r, 0, 0), db_cell_i64(r, 0, 1),
                                  db_cell_i64(r, 0, 2), &req->arena));
        json_close(&b, '}');
        reply_json(req, 200, buf_view(&b));
        buf_fini(&b);
    }
}

void signin_extend(struct http_request *req)
{
    const struct caller *caller = caller_of(req);
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_i64(&args, caller->user);
    db_text(&args, (struct str){ caller->jti, JTI_CHARS });
    db_i64(&args, app_of(req)->settings->token_ttl);
    enum err err = db_exec(app_of(req)->db, &sql_signin_extend, &args, on_extended, req);
    if (err != OK) reply_err(req, err);
}

/* USR-09 */

void signin_show(struct http_request *req)
{
    const struct caller *caller = caller_of(req);
    struct buf b;
    buf_init(&b, 8192);
    json_open(&b, '{');
    json_key(&b, STR("status"));
    json_bool(&b, true);
    json_key(&b, STR("user"));
    json_string(&b, str_from(caller->person->username));
    json_key(&b, STR("agent"));
    json_bool(&b, caller->person->is_agent);
    json_key(&b, STR("exp"));
    json_int(&b, caller->expires_s);
    json_close(&b, '}');
    reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}

/* USR-10 */

static void on_ended(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str message = db_cell(r, 0, 0);
    if (message.p) live_apply_own(app_of(req)->live, message);
    auth_clear_cookie(req);
    reply_json(req, 200, STR("{\"status\":true,\"message\":\"Logged off\"}"));
}

void signin_logoff(struct http_request *req)
{
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, (struct str){ caller_of(req)->jti, JTI_CHARS });
    enum err err = db_exec(app_of(req)->db, &sql_signin_logout, &args, on_ended, req);
    if (err != OK) reply_err(req, err);
}
