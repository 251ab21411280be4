/* USR-72 and 73: proving the number of a user who is there already. */
#include "domain/auth/auth.h"
#include "domain/outbox/outbox.h"
#include "domain/phone/phone.h"
#include "domain/referral/referral.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

static void request(struct http_request *req);
static void prove(struct http_request *req);

const struct endpoint phone_endpoints[] = {
    { .id = "USR-72", .method = HTTP_POST, .path = "/user/verify-phone/request", .auth = AUTH_CUSTOMER, .run = request,
      .summary = "Send a code to one's number",
      .fields = { { .name = "phone_number", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .max = 32,
                    .help = "unset: the stored one" } },
      .example = "{\"phone_number\":\"628123456789\"}",
      .reply = "{\"status\":true,\"message\":\"OTP sent\"}",
      .refusals = { "400 PhoneRequired", PHONE_FORMAT, PHONE_TOO_MANY } },
    { .id = "USR-73", .method = HTTP_POST, .path = "/user/verify-phone", .auth = AUTH_CUSTOMER, .run = prove,
      .summary = "Prove the number by the code that was sent to it",
      .fields = { { .name = "otp", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .max = 32 } },
      .example = "{\"otp\":\"123456\"}",
      .reply = "{\"status\":true,\"message\":\"Phone verified\"}",
      .refusals = { "400 Invalid OTP", "409 Phone number is already registered" } },
    { 0 },
};

static struct str scope_of(struct http_request *req)
{
    return arena_printf(&req->arena, "phone %lld", (long long) caller_of(req)->user);
}

static void on_requested(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
    } else if (db_cell_i64(r, 0, 0)) {
        reply_error_retry(req, 429, "Too many OTP requests", (int) db_cell_i64(r, 0, 0));
    } else if (!db_cell_bool(r, 0, 1)) {
        reply_error(req, 400, "PhoneRequired");
    } else {
        outbox_wake(app_of(req)->sms);
        reply_json(req, 200, STR("{\"status\":true,\"message\":\"OTP sent\"}"));
    }
}

static void request(struct http_request *req)
{
    struct app *app = app_of(req);
    struct value *number = &req->values[0];
    struct db_args args;
    if (number->set && number->s.n == 0) number->set = false;
    if (!phone_take(req, number)) return;
    struct phone_code code = phone_code_new(app, &req->arena, scope_of(req));
    db_args_init(&args, &req->arena);
    db_i64(&args, caller_of(req)->user);
    db_text(&args, number->set ? number->s : STR_NONE);
    db_bool(&args, app->settings->rate_limit);
    db_bytes(&args, (struct str){ (const char *) code.hash, sizeof code.hash });
    db_text(&args, code.text);
    enum err err = db_exec(app->db, &sql_phone_request, &args, on_requested, req);
    if (err != OK) reply_err(req, err);
}

static void reply_proved(void *arg)
{
    reply_json(arg, 200, STR("{\"status\":true,\"message\":\"Phone verified\"}"));
}

static void on_proved(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str why_not = db_cell(r, 0, 0);
    bool due = db_cell_bool(r, 0, 1);
    if (str_eq(why_not, STR("otp"))) reply_error(req, 400, "Invalid OTP");
    else if (why_not.p) reply_error(req, 409, "Phone number is already registered");
    else if (!due || referral_settle(app_of(req)->referrals, caller_of(req)->user, reply_proved, req) != OK)
        reply_proved(req);
}

static void prove(struct http_request *req)
{
    uint8_t hash[SHA256_BYTES];
    struct db_args args;
    phone_code_hash(app_of(req), scope_of(req), req->values[0].s, hash);
    db_args_init(&args, &req->arena);
    db_i64(&args, caller_of(req)->user);
    db_bytes(&args, (struct str){ (const char *) hash, sizeof hash });
    enum err err = db_exec(app_of(req)->db, &sql_phone_prove, &args, on_proved, req);
    if (err != OK) reply_err(req, err);
}
