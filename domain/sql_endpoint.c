/* An endpoint without C: its row names a .sql file, this runs it and sends what it says. */
#include "domain/sql_endpoint.h"

#include <string.h>

#include "core/log.h"
#include "core/must.h"
#include "domain/auth/auth.h"
#include "domain/live/live.h"

enum { REPLY_BYTES_MAX = 64 << 20 };

static void put_value(struct db_args *args, const struct field *field, const struct value *value)
{
    if (!value->set) {
        db_null(args);
        return;
    }
    switch (field->type) {
    case FIELD_INT:
    case FIELD_MONEY:
    case FIELD_ID:
    case FIELD_TIME: db_i64(args, value->i); break;
    case FIELD_BOOL: db_bool(args, value->i != 0); break;
    case FIELD_OBJECT:
    case FIELD_ARRAY: db_text(args, value->json->text); break;
    case FIELD_TEXT:
    case FIELD_EMAIL:
    case FIELD_ENUM: db_text(args, value->s); break;
    }
}

void sql_endpoint_args(struct http_request *req, struct db_args *args)
{
    const struct caller *caller = req->caller;
    db_args_init(args, &req->arena);
    if (caller && caller->user) db_i64(args, caller->user);
    else db_null(args);
    for (int i = 0; i < endpoint_field_count(req->endpoint); i++)
        put_value(args, &req->endpoint->fields[i], &req->values[i]);
}

void sql_endpoint_reply(struct http_request *req, int status, struct str json)
{
    struct buf out;
    buf_init(&out, REPLY_BYTES_MAX);
    pid_expand(&app_of(req)->pids, json, &out);
    if (out.failed) reply_err(req, ERR_INTERNAL);
    else reply_json(req, status, buf_view(&out));
    buf_fini(&out);
}

/* "409 Account limit reached" */
static void refuse(struct http_request *req, struct str refusal)
{
    int64_t status;
    struct str message = refusal;
    must(str_to_i64(str_cut(&message, ' '), &status) && message.p);
    reply_error(req, (int) status, arena_cstr(&req->arena, message));
}

void sql_endpoint_answer(struct http_request *req, const struct db_result *r, int reply)
{
    const struct endpoint *e = req->endpoint;
    struct str json = db_rows(r) > 0 ? db_cell(r, 0, reply) : STR_NONE;
    struct str refusal = db_rows(r) > 0 && db_columns(r) > reply + 1 ? db_cell(r, 0, reply + 1) : STR_NONE;
    struct str told = db_rows(r) > 0 && db_columns(r) > reply + 2 ? db_cell(r, 0, reply + 2) : STR_NONE;
    if (told.p) live_apply_own(app_of(req)->live, told);
    if (refusal.p) refuse(req, refusal);
    else if (json.p) sql_endpoint_reply(req, e->status ? e->status : 200, json);
    else reply_error(req, 404, e->not_found ? e->not_found : "Not Found");
}

static void answered(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) sql_endpoint_failed(req, err, r);
    else sql_endpoint_answer(req, r, 0);
}

/* What a client is told when a constraint of the tables decides. */
static const struct conflict {
    const char *constraint;
    int status;
    const char *message;
} conflicts[] = {
    { "users_email", 409, "Email is already registered" },
    { "users_username", 409, "Username is already taken" },
    { "users_phone_key", 409, "Phone number is already registered" },
    { "addresses_limit", 409, "Address limit reached" },
};

static const struct conflict *conflict_of(enum err err, const struct db_result *r)
{
    if (err != ERR_SQL) return NULL;
    for (size_t i = 0; i < sizeof conflicts / sizeof *conflicts; i++) {
        if (strcmp(db_constraint(r), conflicts[i].constraint) == 0) return &conflicts[i];
    }
    return NULL;
}

void sql_endpoint_failed(struct http_request *req, enum err err, const struct db_result *r)
{
    const struct conflict *conflict = conflict_of(err, r);
    if (conflict) {
        reply_error(req, conflict->status, conflict->message);
        return;
    }
    if (err == ERR_SQL) {
        log_error("sql", "failed", "req=%.*s endpoint=%s sqlstate=%s message=%s", STR_FMT(req->id), req->endpoint->id,
                  db_sqlstate(r), LOG_STR(str_from(db_message(r))));
    }
    reply_err(req, err);
}

void sql_endpoint_run_as(struct http_request *req, const struct sql *sql)
{
    struct db_args args;
    sql_endpoint_args(req, &args);
    must(args.count >= sql->params);
    args.count = sql->params;
    enum err err = db_exec(app_of(req)->db, sql, &args, answered, req);
    if (err != OK) reply_err(req, err);
}

void sql_endpoint_run(struct http_request *req)
{
    sql_endpoint_run_as(req, req->endpoint->sql);
}

int64_t sql_endpoint_decode_id(struct http_request *req, int kind, struct str text)
{
    int64_t id;
    if (kind) return pid_decode(&app_of(req)->pids, (enum pid_kind) kind, text);
    return str_to_i64(text, &id) && id > 0 ? id : -1;
}
