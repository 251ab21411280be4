/* BANK-02: find, verify, settle.
 *
 * An unknown address, a wrong password and an account without password take the same steps: one
 * look-up, one argon2id (of a hash that nothing matches), one failure counted. Only the right
 * password learns that a user is disabled. */
#include "core/flow.h"
#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/signin/signin_private.h"
#include "sql.h"

enum { EMAIL, PASSWORD };   /* the fields, in the row's order */

struct login {
    struct flow flow;
    struct http_request *req;
    struct password_job password;
    int64_t user;
    struct str hash;
    struct signin_result result;
};

static void fail_sql(struct login *l, enum err err, const struct db_result *result)
{
    signin_log_sql(l->req, l->flow.step->name, err, result);
    flow_fail(&l->flow, err);
}

static void refuse(struct login *l, int status, const char *message, int retry_after_s)
{
    signin_refuse(&l->result, status, message, retry_after_s);
    flow_fail(&l->flow, ERR_INVALID);
}

static void put_who(struct db_args *args, const struct http_request *req)
{
    db_text(args, req->values[EMAIL].s);
    db_text(args, req->remote);
}

static void on_found(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    if (err != OK) {
        fail_sql(l, err, result);
    } else if (db_cell_i64(result, 0, 0)) {
        refuse(l, 429, "Too many attempts, try again later", (int) db_cell_i64(result, 0, 0));
    } else {
        l->user = db_cell_i64(result, 0, 1);
        l->hash = arena_str(&l->req->arena, db_cell(result, 0, 2));
        flow_resume(&l->flow);
    }
}

static enum flow_result find(void *arg)
{
    struct login *l = arg;
    struct db_args args;
    db_args_init(&args, &l->req->arena);
    put_who(&args, l->req);
    db_bool(&args, app_of(l->req)->settings->rate_limit);
    enum err err = db_exec(app_of(l->req)->db, &sql_signin_login_find, &args, on_found, l);
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&l->flow, err);
    return FLOW_FAIL;
}

static void on_verified(struct password_job *job, enum err err)
{
    struct login *l = job->arg;
    if (err == OK) flow_resume(&l->flow);
    else flow_fail(&l->flow, err == ERR_CLOSED ? ERR_UNAVAILABLE : err);
}

static enum err start_verifying(struct login *l, struct str password, struct str hash)
{
    return password_start(app_of(l->req)->passwords, &l->password, PASSWORD_VERIFY, password, hash, on_verified, l);
}

static enum flow_result verify(void *arg)
{
    struct login *l = arg;
    enum err err = start_verifying(l, l->req->values[PASSWORD].s, l->hash);
    if (err == ERR_INVALID) err = start_verifying(l, STR("longer than any password"), STR_NONE);
    if (err == OK) return FLOW_WAIT;
    if (err == ERR_FULL) signin_refuse(&l->result, 503, err_info(ERR_FULL)->message, SIGNIN_RETRY_S);
    flow_set_error(&l->flow, err);
    return FLOW_FAIL;
}

static void on_failed(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    if (err != OK) fail_sql(l, err, result);   /* a failure that cannot be counted is not told */
    else refuse(l, 401, "Invalid email or password", 0);
}

static void on_done(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    struct app *app = app_of(l->req);
    if (err != OK) {
        fail_sql(l, err, result);
    } else if (db_rows(result) == 0) {
        refuse(l, 401, "Invalid email or password", 0);
    } else if (db_cell_i64(result, 0, 0)) {
        refuse(l, 429, "Too many attempts, try again later", (int) db_cell_i64(result, 0, 0));
    } else if (!db_cell_bool(result, 0, 1)) {
        refuse(l, 403, "Account is Disabled", 0);
    } else {
        live_apply_own(app->live, db_cell(result, 0, 5));
        l->result.person = book_person(&app->book, l->user);
        l->result.jti = arena_str(&l->req->arena, db_cell(result, 0, 2));
        l->result.issued_s = db_cell_i64(result, 0, 3);
        l->result.expires_s = db_cell_i64(result, 0, 4);
        if (l->password.needs_rehash) signin_rehash(app, l->user, l->req->values[PASSWORD].s, l->hash);
        flow_resume(&l->flow);
    }
}

static enum flow_result settle(void *arg)
{
    struct login *l = arg;
    struct db *db = app_of(l->req)->db;
    struct db_args args;
    enum err err;
    db_args_init(&args, &l->req->arena);
    if (l->password.matches) {
        db_i64(&args, l->user);
        db_text(&args, l->hash);
        put_who(&args, l->req);
        db_bool(&args, app_of(l->req)->settings->rate_limit);
        db_i64(&args, app_of(l->req)->settings->token_ttl);
        db_text(&args, STR("bank"));
        err = db_exec(db, &sql_signin_login_done, &args, on_done, l);
    } else {
        put_who(&args, l->req);
        err = db_exec(db, &sql_signin_login_failed, &args, on_failed, l);
    }
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&l->flow, err);
    return FLOW_FAIL;
}

static void finished(void *arg, enum err err)
{
    struct login *l = arg;
    signin_reply(l->req, 200, "Login successful", &l->result, err);
}

static const struct flow_step steps[] = {
    { "find", find }, { "verify", verify }, { "settle", settle }, { NULL, NULL },
};

void signin_login(struct http_request *req)
{
    struct login *l = arena_new(&req->arena, struct login);
    l->req = req;
    flow_start(&l->flow, steps, finished, l);
}
