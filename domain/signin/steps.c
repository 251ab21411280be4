#include "domain/signin/steps.h"

#include "core/log.h"
#include "domain/auth/auth.h"

void signin_start(struct signin_steps *s, struct http_request *req, const struct flow_step *steps,
                  void (*finished)(void *arg, enum err err), void *arg)
{
    s->req = req;
    flow_start(&s->flow, steps, finished, arg);
}

static enum flow_result started(struct signin_steps *s, enum err err)
{
    if (err == OK) return FLOW_WAIT;
    flow_set_error(&s->flow, err);
    return FLOW_FAIL;
}

enum flow_result signin_exec(struct signin_steps *s, const struct sql *sql, const struct db_args *args, db_done done)
{
    return started(s, db_exec(app_of(s->req)->db, sql, args, done, s->flow.arg));
}

static void on_password(struct password_job *job, enum err err)
{
    struct signin_steps *s = job->arg;
    if (err == OK) flow_resume(&s->flow);
    else flow_fail(&s->flow, err == ERR_CLOSED ? ERR_UNAVAILABLE : err);
}

static enum flow_result start_password(struct signin_steps *s, enum err err)
{
    if (err == ERR_FULL) {
        s->result = (struct signin_result){ .refusal = 503, .message = err_info(ERR_FULL)->message,
                                            .retry_after_s = SIGNIN_RETRY_S };
    }
    return started(s, err);
}

enum flow_result signin_hash(struct signin_steps *s, struct str password)
{
    return start_password(s, password_start(app_of(s->req)->passwords, &s->password, PASSWORD_HASH, password, STR_NONE,
                                            on_password, s));
}

enum flow_result signin_verify(struct signin_steps *s, struct str password, struct str hash)
{
    struct work_queue *q = app_of(s->req)->passwords;
    enum err err = password_start(q, &s->password, PASSWORD_VERIFY, password, hash, on_password, s);
    if (err == ERR_INVALID) {
        err = password_start(q, &s->password, PASSWORD_VERIFY, STR("longer than any password"), STR_NONE,
                             on_password, s);
    }
    return start_password(s, err);
}

void signin_refuse_retry(struct signin_steps *s, int status, const char *message, int retry_after_s)
{
    s->result.refusal = status;
    s->result.message = message;
    s->result.retry_after_s = retry_after_s;
    flow_fail(&s->flow, ERR_INVALID);
}

void signin_refuse(struct signin_steps *s, int status, const char *message)
{
    signin_refuse_retry(s, status, message, 0);
}

void signin_sql_failed(struct signin_steps *s, enum err err, const struct db_result *r)
{
    if (err == ERR_SQL) {
        log_error("signin", "failed", "req=%.*s endpoint=%s step=%s sqlstate=%s message=%s", STR_FMT(s->req->id),
                  s->req->endpoint->id, s->flow.step->name, db_sqlstate(r), LOG_STR(str_from(db_message(r))));
    }
    flow_fail(&s->flow, err);
}

void signin_take_session(struct signin_steps *s, int64_t user, const struct db_result *r, int column)
{
    s->result.person = book_person(&app_of(s->req)->book, user);
    s->result.jti = arena_str(&s->req->arena, db_cell(r, 0, column));
    s->result.issued_s = db_cell_i64(r, 0, column + 1);
    s->result.expires_s = db_cell_i64(r, 0, column + 2);
}

bool signin_refused(struct signin_steps *s, enum err err)
{
    const struct signin_result *r = &s->result;
    if (r->refusal && r->retry_after_s) reply_error_retry(s->req, r->refusal, r->message, r->retry_after_s);
    else if (r->refusal) reply_error(s->req, r->refusal, r->message);
    else if (err != OK) reply_err(s->req, err);
    return r->refusal || err != OK;
}

struct str signin_token(struct signin_steps *s)
{
    const struct signin_result *r = &s->result;
    return auth_sign(app_of(s->req)->auth, r->person, r->jti, r->issued_s, r->expires_s, &s->req->arena);
}
