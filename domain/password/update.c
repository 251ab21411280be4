/* USR-07: find, verify the old one, hash the new one, set it with a session that is not older than it. Wrong old
 * passwords are counted as failed log-ins, because a stolen token must not be a way to guess without end. */
#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/password/password_private.h"
#include "domain/signin/signin.h"
#include "domain/signin/steps.h"
#include "sql.h"

enum { OLD, NEW };   /* the fields, in the row's order */

struct update {
    struct signin_steps steps;
    struct str old_hash;
};

static void put_who(struct db_args *args, const struct update *u)
{
    const struct http_request *req = u->steps.req;
    db_args_init(args, &u->steps.req->arena);
    db_text(args, str_from(caller_of(req)->person->username));
    db_text(args, req->remote);
}

static void on_found(void *arg, enum err err, const struct db_result *result)
{
    struct update *u = arg;
    if (err != OK) {
        signin_sql_failed(&u->steps, err, result);
    } else if (db_cell_i64(result, 0, 0)) {
        signin_refuse_retry(&u->steps, 429, "Too many attempts, try again later", (int) db_cell_i64(result, 0, 0));
    } else {
        u->old_hash = arena_str(&u->steps.req->arena, db_cell(result, 0, 2));
        flow_resume(&u->steps.flow);
    }
}

static enum flow_result find(void *arg)
{
    struct update *u = arg;
    struct db_args args;
    put_who(&args, u);
    db_bool(&args, app_of(u->steps.req)->settings->rate_limit);
    db_bool(&args, false);
    return signin_exec(&u->steps, &sql_signin_login_find, &args, on_found);
}

static enum flow_result verify(void *arg)
{
    struct update *u = arg;
    return signin_verify(&u->steps, u->steps.req->values[OLD].s, u->old_hash);
}

static void on_counted(void *arg, enum err err, const struct db_result *result)
{
    struct update *u = arg;
    if (err != OK) signin_sql_failed(&u->steps, err, result);
    else signin_refuse(&u->steps, 422, "Invalid Credential");
}

static enum flow_result hash(void *arg)
{
    struct update *u = arg;
    struct db_args args;
    if (u->steps.password.matches) return signin_hash(&u->steps, u->steps.req->values[NEW].s);
    put_who(&args, u);
    return signin_exec(&u->steps, &sql_signin_login_failed, &args, on_counted);
}

static void on_set(void *arg, enum err err, const struct db_result *result)
{
    struct update *u = arg;
    struct http_request *req = u->steps.req;
    if (err != OK) {
        signin_sql_failed(&u->steps, err, result);
    } else if (db_rows(result) == 0) {
        /* Changed at the same moment: it is no longer the old one. */
        signin_refuse(&u->steps, 422, "Invalid Credential");
    } else {
        live_apply_own(app_of(req)->live, db_cell(result, 0, 3));
        signin_take_session(&u->steps, caller_of(req)->user, result, 0);
        flow_resume(&u->steps.flow);
    }
}

static enum flow_result set(void *arg)
{
    struct update *u = arg;
    struct db_args args;
    db_args_init(&args, &u->steps.req->arena);
    db_i64(&args, caller_of(u->steps.req)->user);
    db_text(&args, str_from(u->steps.password.hash));
    db_text(&args, u->old_hash);
    db_i64(&args, app_of(u->steps.req)->settings->token_ttl);
    return signin_exec(&u->steps, &sql_password_update, &args, on_set);
}

static void finished(void *arg, enum err err)
{
    struct update *u = arg;
    struct http_request *req = u->steps.req;
    struct buf b;
    if (signin_refused(&u->steps, err)) return;
    buf_init(&b, 8192);
    json_open(&b, '{');
    json_key(&b, STR("status"));
    json_bool(&b, true);
    json_key(&b, STR("message"));
    json_string(&b, STR("Password updated"));
    json_key(&b, STR("token"));
    json_string(&b, signin_token(&u->steps));
    json_close(&b, '}');
    reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}

static const struct flow_step steps[] = {
    { "find", find }, { "verify", verify }, { "hash", hash }, { "set", set }, { NULL, NULL },
};

void password_update(struct http_request *req)
{
    struct update *u = arena_new(&req->arena, struct update);
    signin_start(&u->steps, req, steps, finished, u);
}
