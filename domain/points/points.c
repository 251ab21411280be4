/* The points surface: its table, the levels in memory, and the look-ups that its handlers share. */
#include "domain/points/points.h"

#include "core/log.h"
#include "core/mem.h"
#include "domain/auth/auth.h"
#include "domain/points/points_private.h"

#define TRANSACTION_EXAMPLE                                                                                           \
    "{\"id\":\"65d6f0a1b2c3d4e5f6071831\",\"userId\":\"65d3f0a1b2c3d4e5f6071828\",\"type\":\"admin_grant\","          \
    "\"amount\":50,\"balanceAfter\":370,\"description\":\"Welcome\",\"referenceType\":null,"                          \
    "\"referenceId\":null,\"metadata\":{},\"createdAt\":\"2026-02-09T10:00:00.000Z\"}"

const struct endpoint points_endpoints[] = {
    { .id = "POINTS-01", .method = HTTP_GET, .path = "/api/points/my-points", .auth = AUTH_CUSTOMER,
      .run = points_mine, .summary = "The caller's points, level and referral code",
      .reply = "{\"success\":true,\"data\":{\"balance\":320,\"lifetimePoints\":1280,"
               "\"level\":{\"name\":\"silver\",\"tier\":2,\"minPoints\":1000,\"perks\":[\"Free delivery\"]},"
               "\"nextLevel\":{\"name\":\"gold\",\"tier\":3,\"minPoints\":2500,\"pointsToGo\":1220},"
               "\"referralCode\":\"ABCD1234\",\"referralsCount\":4}}" },
    { .id = "POINTS-09", .method = HTTP_POST, .path = "/api/points/admin/add", .auth = AUTH_ADMIN,
      .run = points_admin_add, .summary = "Grant points to a user, or deduct them",
      .description = "With the header Idempotency-Key a repeat has no effect and is answered as the first time.",
      .fields = { { .name = "userId", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM,
                    .min = 1, .max = 128, .help = "a public id, a decimal user id or a username" },
                  { .name = "amount", .type = FIELD_INT, .flags = FIELD_REQUIRED,
                    .help = "not 0; below 0 deducts" },
                  { .name = "reason", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE,
                    .min = 1, .max = 500 },
                  { .name = "metadata", .type = FIELD_OBJECT, .flags = FIELD_NULLABLE, .max = 4096 } },
      .example = "{\"userId\":\"65d3f0a1b2c3d4e5f6071828\",\"amount\":50,\"reason\":\"Welcome\","
                 "\"metadata\":{\"ticket\":17}}",
      .reply = "{\"success\":true,\"data\":{\"transaction\":" TRANSACTION_EXAMPLE ",\"newBalance\":370}}" },
    { 0 },
};

struct points *points_new(struct app *app)
{
    struct points *p = mem_new(struct points);
    p->app = app;
    levels_init(&p->levels);
    return p;
}

void points_free(struct points *p)
{
    levels_fini(&p->levels);
    mem_free(p);
}

void points_set_levels(struct points *p, struct str json)
{
    const char *why;
    /* They come from our own table; what it holds in spite of all checks must not take the old ones
     * away. */
    if (levels_read(&p->levels, json, &why) != OK)
        log_error("points", "levels_refused", "why=%s", LOG_STR(str_from(why)));
}

const struct level *points_level(const struct points *p, int64_t lifetime, const struct level **next)
{
    const struct level *level = levels_at(&p->levels, lifetime, next);
    if (level || !p->levels.count) return level;
    *next = p->levels.count > 1 ? &p->levels.list[1] : NULL;
    return &p->levels.list[0];
}

static void not_found(struct http_request *req)
{
    reply_error(req, 404, "Not Found");
}

/* Stands in for the rows that do not exist, so that the gate asks for the token as it does for
 * those that do. */
static const struct endpoint unknown = {
    .id = "POINTS", .auth = AUTH_CUSTOMER, .run = not_found, .flags = ENDPOINT_BODY_IGNORED,
};

void points_unknown_path(struct http_request *req)
{
    struct str base = STR("/api/points");
    bool below = str_starts(req->path, base) && (req->path.n == base.n || req->path.p[base.n] == '/');
    if (!below) {
        not_found(req);
        return;
    }
    req->endpoint = &unknown;
    auth_gate(req);
}
