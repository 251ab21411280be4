/* POINTS-07 and 08: a user's referral code, and the short link that carries it to the sign-up page. */
#include <string.h>

#include "domain/auth/auth.h"
#include "domain/live/live.h"
#include "domain/points/points_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

enum { FORCE };
enum { TRIES_MAX = 5, REPLY_BYTES_MAX = 4096 };

struct coding {
    struct http_request *req;
    int tries;
};

static enum err make(struct coding *c);

static struct str base_of(const struct settings *s)
{
    struct str base = str_from(s->short_link_base);
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    return base;
}

static void reply_code(struct http_request *req, struct str code)
{
    struct str base = base_of(app_of(req)->settings);
    struct buf b;
    buf_init(&b, REPLY_BYTES_MAX);
    json_open(&b, '{');
    json_key(&b, STR("success"));
    json_bool(&b, true);
    json_key(&b, STR("data"));
    json_open(&b, '{');
    json_key(&b, STR("referralCode"));
    json_string(&b, code);
    json_key(&b, STR("link"));
    json_string(&b, arena_printf(&req->arena, "%.*s/r/%.*s", STR_FMT(base), STR_FMT(code)));
    json_close(&b, '}');
    json_close(&b, '}');
    if (b.failed) reply_err(req, ERR_INTERNAL);
    else reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}

static void on_made(void *arg, enum err err, const struct db_result *r)
{
    struct coding *c = arg;
    bool taken = err == ERR_SQL && strcmp(db_constraint(r), "users_referral_code") == 0;
    if (taken && ++c->tries < TRIES_MAX) {
        err = make(c);
        if (err != OK) reply_err(c->req, err);
    } else if (err != OK) {
        sql_endpoint_failed(c->req, err, r);
    } else if (db_rows(r) == 0) {
        reply_error(c->req, 404, "User not found");
    } else {
        struct str message = db_cell(r, 0, 1);
        if (message.p) live_apply_own(app_of(c->req)->live, message);
        reply_code(c->req, db_cell(r, 0, 0));
    }
}

static enum err make(struct coding *c)
{
    struct db_args args;
    db_args_init(&args, &c->req->arena);
    db_i64(&args, caller_of(c->req)->user);
    db_bool(&args, c->req->values[FORCE].i != 0);
    return db_exec(app_of(c->req)->db, &sql_points_referral_code, &args, on_made, c);
}

void points_referral_code(struct http_request *req)
{
    struct coding *c = arena_new(&req->arena, struct coding);
    c->req = req;
    enum err err = make(c);
    if (err != OK) reply_err(req, err);
}

/* POINTS-08 */

/* The row lets dots through, too. */
static bool is_code(struct str code)
{
    return code.n > 0 && !memchr(code.p, '.', code.n);
}

void points_short_link(struct http_request *req)
{
    struct str code = req->values[0].s;
    struct str front = str_from(app_of(req)->settings->frontend_url);
    while (front.n && front.p[front.n - 1] == '/') front.n--;
    if (!is_code(code)) {
        reply_error(req, 404, "Not Found");
        return;
    }
    reply_redirect(req, 302, arena_printf(&req->arena, "%.*s/auth/jwt/sign-up?ref=%.*s", STR_FMT(front),
                                          STR_FMT(code)));
}
