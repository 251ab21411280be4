/* BANK-01: count and look, hash, write it all in one commit.
 *
 * What would refuse the registration is looked at before the password is hashed, which is the dear
 * part; the statement that writes decides all the same, because meanwhile another may have come
 * first. A username or referral code that was taken at the same moment is no fault of the client's:
 * the statement makes new ones and is tried again. */
#include <string.h>

#include "domain/live/live.h"
#include "domain/mail/outbox.h"
#include "domain/mail/text.h"
#include "domain/referral/referral.h"
#include "domain/signin/signin_private.h"
#include "sql.h"

enum { NAME, EMAIL, PASSWORD, CODE };   /* the fields, in the row's order */
enum { TRIES_MAX = 5 };

struct registration {
    struct signin_steps steps;
    struct signin_link link;
    struct mail_text mail;
    int tries;
};

static void put_code(struct db_args *args, const struct http_request *req)
{
    const struct value *code = &req->values[CODE];
    if (code->set && code->s.n) db_text(args, code->s);
    else db_null(args);
}

static void on_looked(void *arg, enum err err, const struct db_result *result)
{
    struct registration *r = arg;
    if (err != OK) {
        signin_sql_failed(&r->steps, err, result);
        return;
    }
    int wait_s = (int) db_cell_i64(result, 0, 0);
    if (wait_s) signin_refuse_retry(&r->steps, 429, "Too many attempts, try again later", wait_s);
    else if (db_cell_bool(result, 0, 1)) signin_refuse(&r->steps, 409, "Email is already registered");
    else if (!db_cell_bool(result, 0, 2)) signin_refuse(&r->steps, 400, "Referral code not found");
    else flow_resume(&r->steps.flow);
}

static enum flow_result look(void *arg)
{
    struct registration *r = arg;
    struct http_request *req = r->steps.req;
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, req->remote);
    db_bool(&args, app_of(req)->settings->rate_limit);
    db_text(&args, req->values[EMAIL].s);
    put_code(&args, req);
    return signin_exec(&r->steps, &sql_signin_register_begin, &args, on_looked);
}

static enum flow_result hash(void *arg)
{
    struct registration *r = arg;
    return signin_hash(&r->steps, r->steps.req->values[PASSWORD].s);
}

static bool taken_by_chance(const struct db_result *result)
{
    const char *constraint = db_constraint(result);
    return strcmp(constraint, "users_username") == 0 || strcmp(constraint, "users_referral_code") == 0;
}

static enum err write_all(struct registration *r);

static void on_written(void *arg, enum err err, const struct db_result *result)
{
    struct registration *r = arg;
    struct app *app = app_of(r->steps.req);
    bool duplicate = err == ERR_SQL && strcmp(db_sqlstate(result), "23505") == 0;
    if (duplicate && strcmp(db_constraint(result), "users_email") == 0) {
        signin_refuse(&r->steps, 409, "Email is already registered");
    } else if (duplicate && taken_by_chance(result) && ++r->tries < TRIES_MAX) {
        err = write_all(r);
        if (err != OK) flow_fail(&r->steps.flow, err);
    } else if (err != OK) {
        signin_sql_failed(&r->steps, err, result);
    } else if (db_rows(result) == 0) {
        signin_refuse(&r->steps, 400, "Referral code not found");
    } else {
        for (int column = 4; column <= 6; column++) {
            if (db_cell(result, 0, column).p) live_apply_own(app->live, db_cell(result, 0, column));
        }
        signin_take_session(&r->steps, db_cell_i64(result, 0, 0), result, 1);
        outbox_wake(app->outbox);
        flow_resume(&r->steps.flow);
    }
}

/* "Ada Augusta King" is Ada and Augusta King; together they are what was sent. */
static void put_names(struct db_args *args, struct str name)
{
    struct str rest = name;
    struct str first = str_cut(&rest, ' ');
    db_text(args, first);
    db_text(args, rest.p ? rest : STR(""));
}

static enum err write_all(struct registration *r)
{
    struct http_request *req = r->steps.req;
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, req->values[EMAIL].s);
    put_names(&args, req->values[NAME].s);
    db_text(&args, str_from(r->steps.password.hash));
    put_code(&args, req);
    db_bytes(&args, (struct str){ (const char *) r->link.hash, sizeof r->link.hash });
    db_text(&args, r->mail.subject);
    db_text(&args, r->mail.text);
    db_text(&args, r->mail.html);
    db_i64(&args, app_of(req)->settings->token_ttl);
    db_text(&args, STR("bank"));
    db_bool(&args, app_of(req)->settings->open);
    return db_exec(app_of(req)->db, &sql_signin_register, &args, on_written, r);
}

static enum flow_result create(void *arg)
{
    struct registration *r = arg;
    struct http_request *req = r->steps.req;
    r->link = signin_link_new(app_of(req), &req->arena, "/verify-email");
    r->mail = mail_text_welcome(&req->arena, req->values[NAME].s, r->link.url);
    enum err err = write_all(r);
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&r->steps.flow, err);
    return FLOW_FAIL;
}

static void on_settled(void *arg)
{
    struct registration *r = arg;
    flow_resume(&r->steps.flow);
}

/* With TALLY_OPEN the referrer has his points at once; otherwise when the e-mail is verified. */
static enum flow_result reward(void *arg)
{
    struct registration *r = arg;
    struct app *app = app_of(r->steps.req);
    if (!app->settings->open || !r->steps.req->values[CODE].set) return FLOW_NEXT;
    return referral_settle(app->referrals, r->steps.result.person->id, on_settled, r) == OK ? FLOW_WAIT : FLOW_NEXT;
}

static void finished(void *arg, enum err err)
{
    struct registration *r = arg;
    signin_reply(&r->steps, 201, "User registered successfully", err);
}

static const struct flow_step steps[] = {
    { "look", look }, { "hash", hash }, { "create", create }, { "reward", reward }, { NULL, NULL },
};

void signin_register(struct http_request *req)
{
    struct registration *r = arena_new(&req->arena, struct registration);
    signin_start(&r->steps, req, steps, finished, r);
}
