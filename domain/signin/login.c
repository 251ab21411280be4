/* BANK-02 and USR-01: find, verify, settle. The two differ in who counts as a name (an e-mail; a username too), in
 * whether a sign-up that waits is known, and in their words.
 *
 * An unknown name, a wrong password and an account without password take the same steps: one look-up, one argon2id
 * (of a hash that nothing matches), one failure counted. A hash brought along from another system may be cheaper than
 * that or dearer, so a failure is told no sooner than half a second after the work began, whatever it was; up to
 * bcrypt's 2^12 rounds that is longer than any takes. Only the right password learns that a user is disabled, or not
 * confirmed yet. */
#include "core/clock.h"
#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/signin/signin_private.h"
#include "sql.h"

enum { NAME, PASSWORD };   /* the fields, in the row's order */
enum { FAILURE_MS = 500 };

struct login_way {
    const char *surface;
    bool waiting;          /* sign-ups that wait are known */
    int status;            /* of a failure, with its message */
    const char *message;
};

struct login {
    struct signin_steps steps;
    const struct login_way *way;
    int64_t user;          /* 0: no user */
    struct str hash, mode; /* mode: of a waiting sign-up */
    struct wheel_timer told;
};

static void put_who(struct db_args *args, const struct http_request *req)
{
    db_text(args, req->values[NAME].s);
    db_text(args, req->remote);
}

static void on_found(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    struct arena *arena = &l->steps.req->arena;
    if (err != OK) {
        signin_sql_failed(&l->steps, err, result);
    } else if (db_cell_i64(result, 0, 0)) {
        signin_refuse_retry(&l->steps, 429, "Too many attempts, try again later", (int) db_cell_i64(result, 0, 0));
    } else {
        l->user = db_cell_i64(result, 0, 1);
        l->hash = arena_str(arena, db_cell(result, 0, 2));
        if (db_cell(result, 0, 3).p) l->mode = arena_str(arena, db_cell(result, 0, 3));
        flow_resume(&l->steps.flow);
    }
}

static enum flow_result find(void *arg)
{
    struct login *l = arg;
    struct db_args args;
    db_args_init(&args, &l->steps.req->arena);
    put_who(&args, l->steps.req);
    db_bool(&args, app_of(l->steps.req)->settings->rate_limit);
    db_bool(&args, l->way->waiting);
    return signin_exec(&l->steps, &sql_signin_login_find, &args, on_found);
}

static enum flow_result verify(void *arg)
{
    struct login *l = arg;
    return signin_verify(&l->steps, l->steps.req->values[PASSWORD].s, l->hash);
}

static void fail(struct login *l)
{
    bool unknown = !l->user && !l->mode.p;
    if (unknown && l->way->waiting && app_of(l->steps.req)->settings->open) {
        signin_refuse(&l->steps, 500, "Account does not exist");
    } else {
        signin_refuse(&l->steps, l->way->status, l->way->message);
    }
}

static void on_told(struct wheel_timer *timer)
{
    fail(list_entry(timer, struct login, told));
}

/* Counted it is at once: who guesses many at the same moment must not be ahead of the count. */
static void on_failed(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    uint64_t took_ms = clock_mono_ms() - l->steps.password.began_ms;
    if (err != OK) signin_sql_failed(&l->steps, err, result);   /* a failure that cannot be counted is not told */
    else if (took_ms >= FAILURE_MS) fail(l);
    else wheel_set(app_of(l->steps.req)->wheel, &l->told, FAILURE_MS - took_ms);
}

static void on_waiting(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    if (err != OK) {
        signin_sql_failed(&l->steps, err, result);
    } else if (db_cell_i64(result, 0, 0)) {
        signin_refuse_retry(&l->steps, 429, "Too many attempts, try again later", (int) db_cell_i64(result, 0, 0));
    } else {
        bool otp = str_eq(l->mode, STR("OTP"));
        signin_refuse(&l->steps, 403, otp ? "OTP Not Confirmed" : "Account is Not Confirmed");
    }
}

static void on_done(void *arg, enum err err, const struct db_result *result)
{
    struct login *l = arg;
    struct http_request *req = l->steps.req;
    struct app *app = app_of(req);
    if (err != OK) {
        signin_sql_failed(&l->steps, err, result);
    } else if (db_rows(result) == 0) {
        fail(l);
    } else if (db_cell_i64(result, 0, 0)) {
        signin_refuse_retry(&l->steps, 429, "Too many attempts, try again later", (int) db_cell_i64(result, 0, 0));
    } else if (!db_cell_bool(result, 0, 1)) {
        signin_refuse(&l->steps, 403, "Account is Disabled");
    } else {
        live_apply_own(app->live, db_cell(result, 0, 5));
        signin_take_session(&l->steps, l->user, result, 2);
        if (l->steps.password.needs_rehash) signin_rehash(app, l->user, req->values[PASSWORD].s, l->hash);
        flow_resume(&l->steps.flow);
    }
}

static enum flow_result settle(void *arg)
{
    struct login *l = arg;
    struct http_request *req = l->steps.req;
    const struct settings *settings = app_of(req)->settings;
    struct db_args args;
    db_args_init(&args, &req->arena);
    if (!l->steps.password.matches) {
        put_who(&args, req);
        return signin_exec(&l->steps, &sql_signin_login_failed, &args, on_failed);
    }
    if (l->mode.p) {
        put_who(&args, req);
        db_bool(&args, settings->rate_limit);
        return signin_exec(&l->steps, &sql_signin_login_waiting, &args, on_waiting);
    }
    db_i64(&args, l->user);
    db_text(&args, l->hash);
    put_who(&args, req);
    db_bool(&args, settings->rate_limit);
    db_i64(&args, settings->token_ttl);
    db_text(&args, str_from(l->way->surface));
    return signin_exec(&l->steps, &sql_signin_login_done, &args, on_done);
}

static const struct flow_step steps[] = {
    { "find", find }, { "verify", verify }, { "settle", settle }, { NULL, NULL },
};

static void start(struct http_request *req, const struct login_way *way, void (*finished)(void *arg, enum err err))
{
    struct login *l = arena_new(&req->arena, struct login);
    l->way = way;
    wheel_timer_init(&l->told, on_told);
    signin_start(&l->steps, req, steps, finished, l);
}

static void bank_finished(void *arg, enum err err)
{
    struct login *l = arg;
    signin_reply(&l->steps, 200, "Login successful", err);
}

void signin_login(struct http_request *req)
{
    static const struct login_way bank = { "bank", false, 401, "Invalid email or password" };
    start(req, &bank, bank_finished);
}

static void userstate_finished(void *arg, enum err err)
{
    struct login *l = arg;
    if (signin_refused(&l->steps, err)) return;
    signin_reply_token(l->steps.req, NULL, signin_token(&l->steps), l->steps.result.person->is_agent);
}

void signin_auth(struct http_request *req)
{
    static const struct login_way userstate = { "userstate", true, 422, "Invalid Credential" };
    start(req, &userstate, userstate_finished);
}
