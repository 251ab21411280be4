/* POINTS-01: everything it shows is in memory. */
#include "domain/auth/auth.h"
#include "domain/points/points_private.h"

static void put_next(struct buf *b, const struct level *next, int64_t lifetime)
{
    json_key(b, STR("nextLevel"));
    if (!next) {
        json_null(b);
        return;
    }
    points_open_level(b, next);
    json_key(b, STR("pointsToGo"));
    json_int(b, next->min_points - lifetime);
    json_close(b, '}');
}

static void put_points(struct buf *b, const struct points *p, const struct person *person)
{
    /* Nobody is without a points account; one who were has nothing. */
    const struct account *a = book_owned(&p->app->book, person->id, ACCOUNT_POINTS);
    const struct level *next, *level = points_level(p, a ? a->lifetime : 0, &next);
    json_open(b, '{');
    json_key(b, STR("balance"));
    json_int(b, a ? a->balance : 0);
    json_key(b, STR("lifetimePoints"));
    json_int(b, a ? a->lifetime : 0);
    json_key(b, STR("level"));
    points_put_level(b, level);
    put_next(b, next, a ? a->lifetime : 0);
    json_key(b, STR("referralCode"));
    json_string(b, *person->referral_code ? str_from(person->referral_code) : STR_NONE);
    json_key(b, STR("referralsCount"));
    json_int(b, person->referrals);
    json_close(b, '}');
}

static void show(struct http_request *req, const struct person *person)
{
    const struct points *p = app_of(req)->points;
    struct buf b;
    if (!p->levels.count) {   /* nothing has been loaded yet */
        reply_err(req, ERR_UNAVAILABLE);
        return;
    }
    buf_init(&b, 1 << 20);
    json_open(&b, '{');
    json_key(&b, STR("success"));
    json_bool(&b, true);
    json_key(&b, STR("data"));
    put_points(&b, p, person);
    json_close(&b, '}');
    if (b.failed) reply_err(req, ERR_INTERNAL);
    else reply_json(req, 200, buf_view(&b));
    buf_fini(&b);
}

void points_mine(struct http_request *req)
{
    points_find_user(req, caller_of(req)->user, STR_NONE, show);
}
