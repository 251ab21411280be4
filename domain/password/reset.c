/* USR-06: is the link good, hash, set. The link is looked at first, because hashing is dear; the statement that sets
 * the password uses it up, so that of two at the same moment one wins. */
#include "domain/live/live.h"
#include "domain/password/password_private.h"
#include "domain/signin/signin.h"
#include "domain/signin/steps.h"
#include "sql.h"

enum { QUERY_TOKEN, BODY_TOKEN, PASSWORD };   /* the fields, in the row's order */

struct reset {
    struct signin_steps steps;
    uint8_t hash[SHA256_BYTES];
};

static void put_token(struct db_args *args, const struct reset *r)
{
    db_args_init(args, &r->steps.req->arena);
    db_bytes(args, (struct str){ (const char *) r->hash, sizeof r->hash });
}

static void on_looked(void *arg, enum err err, const struct db_result *result)
{
    struct reset *r = arg;
    if (err != OK) signin_sql_failed(&r->steps, err, result);
    else if (db_rows(result) == 0) signin_refuse(&r->steps, 401, "Unauthorized");
    else flow_resume(&r->steps.flow);
}

static enum flow_result look(void *arg)
{
    struct reset *r = arg;
    struct db_args args;
    put_token(&args, r);
    return signin_exec(&r->steps, &sql_password_reset_look, &args, on_looked);
}

static enum flow_result hash(void *arg)
{
    struct reset *r = arg;
    return signin_hash(&r->steps, r->steps.req->values[PASSWORD].s);
}

static void on_set(void *arg, enum err err, const struct db_result *result)
{
    struct reset *r = arg;
    if (err != OK) {
        signin_sql_failed(&r->steps, err, result);
    } else if (db_rows(result) == 0) {
        signin_refuse(&r->steps, 401, "Unauthorized");
    } else {
        live_apply_own(app_of(r->steps.req)->live, db_cell(result, 0, 0));
        flow_resume(&r->steps.flow);
    }
}

static enum flow_result set(void *arg)
{
    struct reset *r = arg;
    struct db_args args;
    put_token(&args, r);
    db_text(&args, str_from(r->steps.password.hash));
    return signin_exec(&r->steps, &sql_password_reset, &args, on_set);
}

static void finished(void *arg, enum err err)
{
    struct reset *r = arg;
    if (signin_refused(&r->steps, err)) return;
    reply_json(r->steps.req, 200, STR("{\"status\":true,\"message\":\"Password updated\"}"));
}

static const struct flow_step steps[] = {
    { "look", look }, { "hash", hash }, { "set", set }, { NULL, NULL },
};

void password_reset(struct http_request *req)
{
    struct reset *r = arena_new(&req->arena, struct reset);
    if (!signin_special_token(req, &req->values[QUERY_TOKEN], &req->values[BODY_TOKEN], r->hash).p) return;
    signin_start(&r->steps, req, steps, finished, r);
}
