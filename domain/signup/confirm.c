/* USR-04: one statement makes the user and his session; which of the proofs came, the sign-up's mode says. Then
 * whoever brought him gets his points. */
#include "domain/live/live.h"
#include "domain/mail/text.h"
#include "domain/outbox/outbox.h"
#include "domain/phone/phone.h"
#include "domain/referral/referral.h"
#include "domain/signin/signin.h"
#include "domain/signup/signup_private.h"
#include "sql.h"

enum { QUERY_TOKEN, BODY_TOKEN, OTP };   /* the fields, in the row's order */

struct confirmation {
    struct signin_steps steps;
    uint8_t token[SHA256_BYTES], code[SHA256_BYTES];
    bool has_code;
    bool due;                            /* who brought this person is to be rewarded */
    struct signin_link link;             /* to verify the e-mail, which a code by SMS does not prove */
};

static void put_hash(struct db_args *args, const uint8_t hash[SHA256_BYTES])
{
    db_bytes(args, (struct str){ (const char *) hash, SHA256_BYTES });
}

static void on_confirmed(void *arg, enum err err, const struct db_result *r)
{
    struct confirmation *c = arg;
    struct app *app = app_of(c->steps.req);
    if (err != OK) {
        signin_sql_failed(&c->steps, err, r);
        return;
    }
    struct str outcome = db_cell(r, 0, 0);
    if (str_eq(outcome, STR("token"))) {
        signin_refuse(&c->steps, 401, "Unauthorized");
    } else if (str_eq(outcome, STR("otp"))) {
        signin_refuse(&c->steps, 400, "Invalid OTP");
    } else if (!str_eq(outcome, STR("done"))) {
        signup_refuse_taken(&c->steps, outcome);
    } else {
        live_apply_own(app->live, db_cell(r, 0, 2));
        signin_take_session(&c->steps, db_cell_i64(r, 0, 1), r, 3);
        c->due = db_cell_bool(r, 0, 6);
        outbox_wake(app->outbox);
        flow_resume(&c->steps.flow);
    }
}

static enum flow_result confirm(void *arg)
{
    struct confirmation *c = arg;
    struct http_request *req = c->steps.req;
    struct app *app = app_of(req);
    c->link = signin_link_new(app, &req->arena, "/verify-email");
    struct mail_text mail = mail_text_welcome(&req->arena, STR_NONE, c->link.url);
    struct db_args args;
    db_args_init(&args, &req->arena);
    put_hash(&args, c->token);
    if (c->has_code) put_hash(&args, c->code);
    else db_null(&args);
    db_i64(&args, app->settings->token_ttl);
    put_hash(&args, c->link.hash);
    db_text(&args, mail.subject);
    db_text(&args, mail.text);
    db_text(&args, mail.html);
    return signin_exec(&c->steps, &sql_signup_confirm, &args, on_confirmed);
}

static void on_settled(void *arg)
{
    struct confirmation *c = arg;
    flow_resume(&c->steps.flow);
}

static enum flow_result reward(void *arg)
{
    struct confirmation *c = arg;
    struct app *app = app_of(c->steps.req);
    if (!c->due) return FLOW_NEXT;
    return referral_settle(app->referrals, c->steps.result.person->id, on_settled, c) == OK ? FLOW_WAIT : FLOW_NEXT;
}

static void finished(void *arg, enum err err)
{
    struct confirmation *c = arg;
    if (signin_refused(&c->steps, err)) return;
    signin_reply_token(c->steps.req, "Account confirmed", signin_token(&c->steps), c->steps.result.person->is_agent);
}

static const struct flow_step steps[] = { { "confirm", confirm }, { "reward", reward }, { NULL, NULL } };

void signup_confirm(struct http_request *req)
{
    struct confirmation *c = arena_new(&req->arena, struct confirmation);
    const struct value *otp = &req->values[OTP];
    struct str token = signin_special_token(req, &req->values[QUERY_TOKEN], &req->values[BODY_TOKEN], c->token);
    if (!token.p) return;
    c->has_code = otp->set;
    if (c->has_code) phone_code_hash(app_of(req), signup_code_scope(&req->arena, token), otp->s, c->code);
    signin_start(&c->steps, req, steps, finished, c);
}
