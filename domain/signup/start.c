/* USR-02: look, hash, let it wait. What would refuse the sign-up is looked at before the password is hashed, which is
 * the dear part; what confirms it decides again. */
#include "domain/mail/text.h"
#include "domain/outbox/outbox.h"
#include "domain/phone/phone.h"
#include "domain/signin/signin.h"
#include "domain/signup/signup_private.h"
#include "sql.h"

enum { USERNAME, PASSWORD, EMAIL, FULL_NAME, PHONE, CODE, MODE };   /* the fields, in the row's order */

struct signup {
    struct signin_steps steps;
    bool otp;
    struct signin_link link;
    struct phone_code code;
    struct mail_text mail;
};

static void put(struct db_args *args, const struct value *value)
{
    db_text(args, value->set && value->s.n ? value->s : STR_NONE);
}

static void on_looked(void *arg, enum err err, const struct db_result *r)
{
    struct signup *s = arg;
    struct str taken;
    if (err != OK) {
        signin_sql_failed(&s->steps, err, r);
    } else if (db_cell_i64(r, 0, 0)) {
        signin_refuse_retry(&s->steps, 429, "Too many attempts, try again later", (int) db_cell_i64(r, 0, 0));
    } else if ((taken = db_cell(r, 0, 2)).p) {
        signup_refuse_taken(&s->steps, taken);
    } else if (!db_cell_bool(r, 0, 3)) {
        signin_refuse(&s->steps, 400, "Referral code not found");
    } else if (db_cell_i64(r, 0, 1)) {
        signin_refuse_retry(&s->steps, 429, "Too many OTP requests", (int) db_cell_i64(r, 0, 1));
    } else {
        flow_resume(&s->steps.flow);
    }
}

static enum flow_result look(void *arg)
{
    struct signup *s = arg;
    struct http_request *req = s->steps.req;
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, req->remote);
    db_bool(&args, app_of(req)->settings->rate_limit);
    put(&args, &req->values[EMAIL]);
    put(&args, &req->values[USERNAME]);
    put(&args, &req->values[PHONE]);
    put(&args, &req->values[CODE]);
    put(&args, &req->values[MODE]);
    return signin_exec(&s->steps, &sql_signup_look, &args, on_looked);
}

static enum flow_result hash(void *arg)
{
    struct signup *s = arg;
    return signin_hash(&s->steps, s->steps.req->values[PASSWORD].s);
}

static void on_waiting(void *arg, enum err err, const struct db_result *r)
{
    struct signup *s = arg;
    struct app *app = app_of(s->steps.req);
    if (err != OK) {
        signin_sql_failed(&s->steps, err, r);
    } else if (db_cell_i64(r, 0, 0)) {
        signin_refuse_retry(&s->steps, 429, "Too many OTP requests", (int) db_cell_i64(r, 0, 0));
    } else {
        outbox_wake(s->otp ? app->sms : app->outbox);
        flow_resume(&s->steps.flow);
    }
}

static void put_names(struct db_args *args, struct str name)
{
    struct str rest = name;
    struct str first = str_cut(&rest, ' ');
    db_text(args, first);
    db_text(args, rest.p ? str_trim(rest) : STR(""));
}

static void put_hash(struct db_args *args, const uint8_t hash[SHA256_BYTES])
{
    db_bytes(args, (struct str){ (const char *) hash, SHA256_BYTES });
}

/* The link's mail, or the code's message. */
static void put_proof(struct db_args *args, struct signup *s)
{
    struct http_request *req = s->steps.req;
    struct app *app = app_of(req);
    struct arena *arena = &req->arena;
    s->link = signin_link_new(app, arena, "/verify-sign-up");
    if (s->otp) s->code = phone_code_new(app, arena, signup_code_scope(arena, s->link.token));
    else s->mail = mail_text_signup(arena, req->values[FULL_NAME].s, s->link.url);
    put_hash(args, s->link.hash);
    if (s->otp) put_hash(args, s->code.hash);
    else db_null(args);
    db_text(args, s->mail.subject);
    db_text(args, s->mail.text);
    db_text(args, s->mail.html);
    db_text(args, s->code.text);
}

static enum flow_result keep(void *arg)
{
    struct signup *s = arg;
    struct http_request *req = s->steps.req;
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_bool(&args, app_of(req)->settings->rate_limit);
    put(&args, &req->values[EMAIL]);
    put(&args, &req->values[USERNAME]);
    put(&args, &req->values[PHONE]);
    put(&args, &req->values[CODE]);
    put(&args, &req->values[MODE]);
    db_text(&args, str_from(s->steps.password.hash));
    put_names(&args, req->values[FULL_NAME].s);
    put_proof(&args, s);
    return signin_exec(&s->steps, &sql_signup_wait, &args, on_waiting);
}

static void finished(void *arg, enum err err)
{
    struct signup *s = arg;
    struct http_request *req = s->steps.req;
    if (signin_refused(&s->steps, err)) return;
    if (s->otp) {
        reply_json(req, 201, arena_printf(&req->arena, "{\"status\":true,\"message\":\"OTP sent\",\"mode\":\"OTP\","
                                                       "\"token\":\"%.*s\"}", STR_FMT(s->link.token)));
    } else {
        reply_json(req, 201, STR("{\"status\":true,\"message\":\"Verification link sent\",\"mode\":\"LINK\"}"));
    }
}

static const struct flow_step steps[] = {
    { "look", look }, { "hash", hash }, { "keep", keep }, { NULL, NULL },
};

void signup_start(struct http_request *req)
{
    struct value *phone = &req->values[PHONE];
    struct signup *s = arena_new(&req->arena, struct signup);
    s->otp = str_eq(req->values[MODE].s, STR("OTP"));
    if (phone->set && phone->s.n == 0) phone->set = false;
    if (s->otp && !phone->set) reply_error(req, 400, "PhoneRequired");
    else if (phone_take(req, phone)) signin_start(&s->steps, req, steps, finished, s);
}
