#include "domain/profile/profile.h"

#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/phone/phone.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

static void change(struct http_request *req);

#define PROFILE_EXAMPLE                                                                                               \
    "{\"username\":\"john_doe\",\"full_name\":\"John Doe\",\"email\":\"john@example.com\","                           \
    "\"phone_number\":\"628123456789\",\"profile_img\":null,"                 \
    "\"referral_code\":\"JOHN1234\",\"balance\":50000,\"points\":150}"

const struct endpoint profile_endpoints[] = {
    { .id = "USR-12", .method = HTTP_GET, .path = "/user/profile", .auth = AUTH_CUSTOMER, .sql = &sql_profile_get,
      .summary = "One's own profile", .reply = PROFILE_EXAMPLE },
    { .id = "USR-13", .method = HTTP_PUT, .path = "/user/profile", .auth = AUTH_CUSTOMER, .run = change,
      .summary = "Change one's name or number", .description = "At least one of the two. A new number is not verified.",
      .fields = { { .name = "full_name", .type = FIELD_TEXT, .flags = FIELD_TRIM, .min = 1, .max = 100 },
                  { .name = "phone_number", .type = FIELD_TEXT, .flags = FIELD_TRIM, .max = 32 } },
      .example = "{\"full_name\":\"John Doe\",\"phone_number\":\"628123456789\"}", .reply = PROFILE_EXAMPLE,
      .refusals = { PHONE_FORMAT } },
    { .id = "USR-15", .method = HTTP_GET, .path = "/user/referral-code", .auth = AUTH_CUSTOMER,
      .sql = &sql_profile_referral_code, .summary = "One's own referral code",
      .reply = "{\"referral_code\":\"JOHN1234\"}" },
    { 0 },
};

enum { FULL_NAME, PHONE };   /* USR-13's fields, in the row's order */

static void on_changed(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    live_apply_own(app_of(req)->live, db_cell(r, 0, 0));
    sql_endpoint_run_as(req, &sql_profile_get);
}

static void put_names(struct db_args *args, const struct value *name)
{
    struct str rest = name->set ? name->s : STR_NONE;
    struct str first = str_cut(&rest, ' ');
    db_text(args, first);
    db_text(args, !name->set ? STR_NONE : rest.p ? str_trim(rest) : STR(""));
}

static void change(struct http_request *req)
{
    struct reply_faults faults = { 0 };
    struct db_args args;
    if (!req->values[FULL_NAME].set && !req->values[PHONE].set) {
        reply_fault(req, &faults, "full_name", "or phone_number is required");
        reply_faults(req, &faults);
        return;
    }
    if (!phone_take(req, &req->values[PHONE])) return;
    db_args_init(&args, &req->arena);
    db_i64(&args, caller_of(req)->user);
    put_names(&args, &req->values[FULL_NAME]);
    db_text(&args, req->values[PHONE].set ? req->values[PHONE].s : STR_NONE);
    enum err err = db_exec(app_of(req)->db, &sql_profile_change, &args, on_changed, req);
    if (err != OK) reply_err(req, err);
}
