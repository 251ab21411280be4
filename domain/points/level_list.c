/* POINTS-04 and 21: the levels, as memory has them, and others in their place. */
#include "domain/live/live.h"
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { LEVELS, LOOKS_MAX = 10 };

/* POINTS-21 under way. */
struct replacement {
    struct http_request *req;
    struct levels wanted;
    uint64_t changes;          /* of memory's levels, when we asked last */
    int looks;
};

static void reply_levels(struct http_request *req, const struct levels *l)
{
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
    if (away || live_memory_is_good(app->live)) reply_levels(req, &app->points->levels);
    else sql_endpoint_run_as(req, &sql_points_levels);
}

static void look_again(struct replacement *s);

/* Memory has them before the writer has his answer. But what is told by a result may be older than what the stream has
 * told meanwhile, and nothing would come after it to mend that: then the tables are read again. */
static void take_levels(struct replacement *s, struct str levels)
{
    struct points *points = app_of(s->req)->points;
    if (points->levels_changes == s->changes) points_set_levels(points, levels);
    else if (s->looks < LOOKS_MAX) {
        look_again(s);
        return;
    }
    reply_levels(s->req, &s->wanted);
}

static void on_looked(void *arg, enum err err, const struct db_result *r)
{
    struct replacement *s = arg;
    if (err == OK) take_levels(s, db_cell(r, 0, 0));
    else reply_levels(s->req, &s->wanted);   /* they are set; the stream tells the rest */
}

static void look_again(struct replacement *s)
{
    struct app *app = app_of(s->req);
    struct db_args args;
    s->looks++;
    s->changes = app->points->levels_changes;
    db_args_init(&args, &s->req->arena);
    if (db_exec(app->db, &sql_live_load_levels, &args, on_looked, s) != OK) reply_levels(s->req, &s->wanted);
}

static void on_set(void *arg, enum err err, const struct db_result *r)
{
    struct replacement *s = arg;
    if (err == OK) take_levels(s, db_cell(r, 0, 0));
    else sql_endpoint_failed(s->req, err, r);
}

static void forget_wanted(void *arg)
{
    levels_fini(arg);
}

void points_level_set(struct http_request *req)
{
    struct replacement *s = arena_new(&req->arena, struct replacement);
    struct app *app = app_of(req);
    struct db_args args;
    const struct json *array = req->values[LEVELS].json;
    const char *why;
    s->req = req;
    s->changes = app->points->levels_changes;
    levels_init(&s->wanted);
    arena_defer(&req->arena, forget_wanted, &s->wanted);
    enum err err = levels_read(&s->wanted, array->text, &why);
    if (err == OK) err = levels_check(&s->wanted, &why);
    if (err == OK) {
        db_args_init(&args, &req->arena);
        db_text(&args, array->text);
        err = db_exec(app->db, &sql_points_levels_set, &args, on_set, s);
        if (err != OK) reply_err(req, err);
    } else {
        struct reply_faults faults = { 0 };
        reply_fault(req, &faults, "levels", why);
        reply_faults(req, &faults);
    }
}
