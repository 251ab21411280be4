/* The rows of signup, USR-03, and what its files share. */
#include "domain/signup/signup.h"

#include "domain/signup/signup_private.h"
#include "domain/phone/phone.h"
#include "domain/signin/signin.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

#define TAKEN                                                                                                         \
    "409 Email is already registered", "409 Username is already taken", "409 Phone number is already registered"

const struct endpoint signup_endpoints[] = {
    { .id = "USR-02", .method = HTTP_POST, .path = "/signup", .run = signup_start, .status = 201,
      .summary = "Sign up; a link by mail or a code by SMS confirms it",
      .description = "In mode OTP the reply also has `token`, which goes with the code to /verify-sign-up.",
      .fields = { { .name = "username", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 3, .max = 32,
                    .check = signup_name_fault },
                  { .name = "password", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 8, .max = 128 },
                  { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED },
                  { .name = "full_name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM,
                    .min = 1, .max = 100 },
                  { .name = "phone_number", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 32,
                    .help = "needed in mode OTP" },
                  { .name = "referral_code", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 64 },
                  { .name = "mode", .type = FIELD_ENUM, .choices = "LINK OTP", .initial = "LINK" } },
      .example = "{\"username\":\"john_doe\",\"password\":\"correct horse\",\"email\":\"john@example.com\","
                 "\"full_name\":\"John Doe\",\"phone_number\":\"628123456789\",\"mode\":\"LINK\"}",
      .reply = "{\"status\":true,\"message\":\"Verification link sent\",\"mode\":\"LINK\"}",
      .refusals = { TAKEN, "400 Referral code not found", "400 PhoneRequired", PHONE_FORMAT, SIGNIN_TOO_MANY,
                    PHONE_TOO_MANY } },
    { .id = "USR-03", .method = HTTP_POST, .path = "/check/email", .run = signup_check_email,
      .summary = "Whether an e-mail is registered",
      .fields = { { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED } },
      .example = "{\"email\":\"nobody@example.com\"}",
      .reply = "{\"status\":true,\"message\":\"Email is available\",\"registered\":false}",
      .refusals = { "409 Email is already registered", SIGNIN_TOO_MANY } },
    { .id = "USR-04", .method = HTTP_POST, .path = "/verify-sign-up", .run = signup_confirm,
      .summary = "Confirm a sign-up by its token, and its code in mode OTP",
      .description = "The token comes in the query, in the body or as Bearer.",
      .fields = { { .name = "token", .in = IN_QUERY, .type = FIELD_TEXT, .max = 4096 },
                  { .name = "token", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .max = 4096 },
                  { .name = "otp", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 32 } },
      .example = "{\"token\":\"nFHNe5bEM2uUPR2ZxvnxfH2wYAwCr0oEMXZC9VVEYfQ\"}",
      .reply = "{\"status\":true,\"message\":\"Account confirmed\",\"token\":\"eyJ...\",\"agent\":false}",
      .refusals = { "401 Unauthorized", "400 Invalid OTP", TAKEN } },
    { .id = "USR-60", .method = HTTP_GET, .path = "/verify-sign-up", .run = signup_page, .flags = ENDPOINT_HIDDEN,
      .fields = { { .name = "token", .in = IN_QUERY, .type = FIELD_TEXT, .max = 4096 } },
      .summary = "The page behind the mailed link, with a button" },
    { 0 },
};

void signup_refuse_taken(struct signin_steps *s, struct str what)
{
    static const struct { struct str what; const char *message; } taken[] = {
        { { "email", 5 }, "Email is already registered" },
        { { "username", 8 }, "Username is already taken" },
        { { "phone", 5 }, "Phone number is already registered" },
    };
    size_t i = 0;
    while (!str_eq(taken[i].what, what)) i++;   /* signup_conflict() names no other */
    signin_refuse(s, 409, taken[i].message);
}

struct str signup_code_scope(struct arena *arena, struct str token)
{
    return arena_printf(arena, "signup %.*s", STR_FMT(token));
}

/* USR-03 */

static void on_checked(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
    } else if (db_cell_i64(r, 0, 0)) {
        reply_error_retry(req, 429, "Too many attempts, try again later", (int) db_cell_i64(r, 0, 0));
    } else if (db_cell_bool(r, 0, 1)) {
        reply_error(req, 409, "Email is already registered");
    } else {
        reply_json(req, 200, STR("{\"status\":true,\"message\":\"Email is available\",\"registered\":false}"));
    }
}

void signup_check_email(struct http_request *req)
{
    struct app *app = app_of(req);
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, req->remote);
    db_bool(&args, app->settings->rate_limit);
    db_text(&args, req->values[0].s);
    db_null(&args);
    enum err err = db_exec(app->db, &sql_signin_register_begin, &args, on_checked, req);
    if (err != OK) reply_err(req, err);
}
