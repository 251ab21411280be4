/* REW-01 and REW-03: a member, and what he has. */
#include "domain/live/live.h"
#include "domain/rewards/rewards_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

/* REW-01 */

enum { ID, NAME, EMAIL };

static void on_created(void *arg, enum err err, const struct db_result *r)
{
    struct http_request *req = arg;
    if (err != OK) {
        sql_endpoint_failed(req, err, r);
        return;
    }
    struct str message = db_cell(r, 0, 0);
    if (!message.p) {
        reply_error(req, 400, "User already exists");
        return;
    }
    live_apply_own(app_of(req)->live, message);   /* the writer reads him before the stream brings him */
    reply_json(req, 201, db_cell(r, 0, 1));
}

void rewards_create(struct http_request *req)
{
    struct db_args args;
    db_args_init(&args, &req->arena);
    db_text(&args, req->values[ID].s);
    db_text(&args, req->values[NAME].s);
    db_text(&args, req->values[EMAIL].s);
    enum err err = db_exec(app_of(req)->db, &sql_rewards_create, &args, on_created, req);
    if (err != OK) reply_err(req, err);
}

/* REW-03 */

static void show(struct http_request *req, const struct reward_member *member, bool from_memory)
{
    char text[256];
    struct buf b = { .p = text, .cap = sizeof text, .max = sizeof text };   /* on the stack: it never grows */
    json_open(&b, '{');
    json_key(&b, STR("userId"));
    json_string(&b, member_id(member));
    json_key(&b, STR("points"));
    json_int(&b, member->account.balance);
    json_close(&b, '}');
    reply_header(req, STR("X-Cache"), from_memory ? STR("HIT") : STR("MISS"));
    reply_header(req, STR("Cache-Control"), STR("no-store"));
    reply_json(req, 200, buf_view(&b));
}

void rewards_points(struct http_request *req)
{
    rewards_find(req, show);
}
