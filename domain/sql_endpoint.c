/* An endpoint without C: its row names a .sql file, this runs it and sends what it says. */
#include "domain/sql_endpoint.h"

#include "core/log.h"
#include "core/must.h"
#include "domain/auth/auth.h"

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

static void answered(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    const struct endpoint *e = req->endpoint;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str json = db_rows(r) > 0 ? db_cell(r, 0, 0) : STR_NONE;
    if (json.p) sql_endpoint_reply(req, e->status ? e->status : 200, json);
    else reply_error(req, 404, e->not_found ? e->not_found : "Not Found");
}

void sql_endpoint_failed(struct http_request *req, enum err err, const struct db_result *r)
{
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
    return pid_decode(&app_of(req)->pids, (enum pid_kind) kind, text);
}
