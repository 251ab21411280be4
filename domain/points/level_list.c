/* POINTS-04 and 21: the levels, as memory has them, and others in their place. */
#include "domain/live/live.h"
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { LEVELS };

static void reply_levels(struct http_request *req)
{
    const struct levels *l = &app_of(req)->points->levels;
    struct buf b;
    buf_init(&b, 1 << 22);
    json_open(&b, '{');
    json_key(&b, STR("success"));
    json_bool(&b, true);
    json_key(&b, STR("data"));
    json_open(&b, '{');
    json_key(&b, STR("levels"));
    json_open(&b, '[');
    for (int i = 0; i < l->count; i++) points_put_level(&b, &l->list[i]);
    json_close(&b, ']');
    json_close(&b, '}');
    json_close(&b, '}');
    if (b.failed) reply_err(req, ERR_INTERNAL);
    else reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}

void points_level_list(struct http_request *req)
{
    struct app *app = app_of(req);
    bool away = !db_is_up(app->db) && live_was_loaded(app->live);
    if (away || live_memory_is_good(app->live)) reply_levels(req);
    else sql_endpoint_run_as(req, &sql_points_levels);
}

static void on_set(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    live_apply_own(app_of(req)->live, db_cell(r, 0, 0));
    reply_levels(req);
}

void points_level_set(struct http_request *req)
{
    struct levels checked;
    struct db_args args;
    const struct json *array = req->values[LEVELS].json;
    const char *why;
    levels_init(&checked);
    enum err err = levels_read(&checked, array->text, &why);
    if (err == OK) err = levels_check(&checked, &why);
    if (err == OK) {
        db_args_init(&args, &req->arena);
        db_text(&args, array->text);
        err = db_exec(app_of(req)->db, &sql_points_levels_set, &args, on_set, req);
        if (err != OK) reply_err(req, err);
    } else {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "levels", why);
        reply_faults(req, &faults);
    }
    levels_fini(&checked);
}
