/* The points surface: its table, the levels in memory, and the look-ups that its handlers share. */
#include "domain/points/points.h"

#include "core/log.h"
#include "core/mem.h"
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/points/points_private.h"
#include "sql.h"

#define TRANSACTION(type, amount, after, description, reference_type, reference_id)                                   \
    "{\"id\":\"65d6f0a1b2c3d4e5f6071831\",\"userId\":\"65d3f0a1b2c3d4e5f6071828\",\"type\":\"" type "\","             \
    "\"amount\":" amount ",\"balanceAfter\":" after ",\"description\":\"" description "\",\"referenceType\":"          \
    reference_type ",\"referenceId\":" reference_id ",\"metadata\":{},\"createdAt\":\"2026-02-09T10:00:00.000Z\"}"
#define GRANT_EXAMPLE TRANSACTION("admin_grant", "50", "370", "Welcome", "null", "null")
#define REVIEW_EXAMPLE TRANSACTION("review", "50", "370", "Review of a chair", "\"review\"", "\"17\"")
#define REDEEM_EXAMPLE                                                                                                \
    TRANSACTION("redeem", "-320", "0", "Redeemed for a discount code", "\"purchase_request\"", "\"order-17\"")

#define LEVELS_EXAMPLE                                                                                                \
    "\"levels\":[{\"name\":\"bronze\",\"tier\":1,\"minPoints\":0,\"perks\":[\"A birthday card\"]},"                   \
    "{\"name\":\"silver\",\"tier\":2,\"minPoints\":1000,\"perks\":[\"Free delivery\"]},"                              \
    "{\"name\":\"gold\",\"tier\":3,\"minPoints\":2500,\"perks\":[\"Free delivery\",\"First look\"]}]"

#define ONCE "With the header Idempotency-Key a repeat has no effect and is answered as the first time."

const struct endpoint points_endpoints[] = {
    { .id = "POINTS-01", .method = HTTP_GET, .path = "/api/points/my-points", .auth = AUTH_CUSTOMER,
      .run = points_mine, .summary = "The caller's points, level and referral code",
      .reply = "{\"success\":true,\"data\":{\"balance\":320,\"lifetimePoints\":1280,"
               "\"level\":{\"name\":\"silver\",\"tier\":2,\"minPoints\":1000,\"perks\":[\"Free delivery\"]},"
               "\"nextLevel\":{\"name\":\"gold\",\"tier\":3,\"minPoints\":2500,\"pointsToGo\":1220},"
               "\"referralCode\":\"ABCD1234\",\"referralsCount\":4}}" },
    { .id = "POINTS-02", .method = HTTP_GET, .path = "/api/points/transactions", .auth = AUTH_CUSTOMER,
      .run = points_transactions, .summary = "The caller's points ledger, newest first",
      .fields = { { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100000, .initial = "1" },
                  { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "20" },
                  { .name = "type", .in = IN_QUERY, .type = FIELD_ENUM,
                    .choices = "earn redeem referral purchase review admin_grant admin_deduct" },
                  { .name = "from", .in = IN_QUERY, .type = FIELD_TIME, .help = "inclusive; a date is its beginning" },
                  { .name = "to", .in = IN_QUERY, .type = FIELD_TIME, .flags = FIELD_DAY_END,
                    .help = "inclusive; a date is its end" } },
      .reply = "{\"success\":true,\"data\":{\"transactions\":[" GRANT_EXAMPLE "],"
               "\"pagination\":{\"page\":1,\"limit\":20,\"total\":17,\"hasMore\":false}}}" },
    { .id = "POINTS-03", .method = HTTP_GET, .path = "/api/points/referrals", .auth = AUTH_CUSTOMER,
      .sql = &sql_points_referrals, .summary = "Whom the caller has brought, newest first",
      .reply = "{\"success\":true,\"data\":{\"referrals\":[{\"userId\":\"65d3f0a1b2c3d4e5f6071828\","
               "\"name\":\"Jane Doe\",\"joinedAt\":\"2026-02-09T10:00:00.000Z\",\"pointsEarned\":50,"
               "\"status\":\"completed\"}]}}" },
    { .id = "POINTS-04", .method = HTTP_GET, .path = "/api/points/levels", .auth = AUTH_CUSTOMER,
      .run = points_level_list, .summary = "The levels, lowest first",
      .reply = "{\"success\":true,\"data\":{" LEVELS_EXAMPLE "}}" },
    { .id = "POINTS-05", .method = HTTP_GET, .path = "/api/points/leaderboard", .auth = AUTH_CUSTOMER,
      .sql = &sql_points_leaderboard, .summary = "Who has brought the most people",
      .fields = { { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "10" },
                  { .name = "period", .in = IN_QUERY, .type = FIELD_ENUM, .choices = "all month week",
                    .initial = "all", .help = "month: the last 30 days, week: the last 7" } },
      .reply = "{\"success\":true,\"data\":{\"entries\":[{\"userId\":\"65d3f0a1b2c3d4e5f6071828\","
               "\"name\":\"Jane Doe\",\"avatar\":null,\"referrals\":4,"
               "\"pointsEarned\":200}]}}" },
    { .id = "POINTS-06", .method = HTTP_POST, .path = "/api/points/redeem", .auth = AUTH_CUSTOMER,
      .run = points_redeem, .summary = "Spend points on a discount code or on the caller's wallet", .description = ONCE,
      .fields = { { .name = "amount", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 9007199254740991,
                    .help = "points; the server may demand more than 1" },
                  { .name = "purpose", .type = FIELD_ENUM, .choices = "discount_code wallet_credit",
                    .initial = "discount_code" },
                  { .name = "purchaseRequestId", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .min = 1, .max = 128,
                    .help = "a purchase in progress, which is redeemed for once" } },
      .example = "{\"amount\":320,\"purpose\":\"discount_code\",\"purchaseRequestId\":\"order-17\"}",
      .reply = "{\"success\":true,\"data\":{\"transaction\":" REDEEM_EXAMPLE ","
               "\"redemption\":{\"creditAmount\":3.2,\"currency\":\"USD\",\"code\":\"DISC-7K2M9QX4\"},"
               "\"newBalance\":0}}",
      .refusals = { "400 Insufficient points balance", "409 Redemption already claimed", IDEMPOTENCY_CONFLICT } },
    { .id = "POINTS-07", .method = HTTP_POST, .path = "/api/points/generate-referral-code", .auth = AUTH_CUSTOMER,
      .run = points_referral_code, .summary = "The caller's referral code and its link; a new code when forced",
      .fields = { { .name = "force", .type = FIELD_BOOL, .initial = "false" } },
      .example = "{\"force\":false}",
      .reply = "{\"success\":true,\"data\":{\"referralCode\":\"ABCD1234\","
               "\"link\":\"https://amn.gg/r/ABCD1234\"}}" },
    { .id = "POINTS-08", .method = HTTP_GET, .path = "/r/:code", .run = points_short_link, .status = 302,
      .summary = "To the sign-up page, with the code",
      .fields = { { .name = "code", .in = IN_PATH, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = 64 } } },
    { .id = "POINTS-09", .method = HTTP_POST, .path = "/api/points/admin/add", .auth = AUTH_ADMIN,
      .run = points_admin_add, .summary = "Grant points to a user, or deduct them", .description = ONCE,
      .fields = { { .name = "userId", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM,
                    .min = 1, .max = 128, .help = "a public id, a decimal user id or a username" },
                  { .name = "amount", .type = FIELD_INT, .flags = FIELD_REQUIRED,
                    .help = "not 0; below 0 deducts" },
                  { .name = "reason", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM | FIELD_MULTILINE,
                    .min = 1, .max = 500 },
                  { .name = "metadata", .type = FIELD_OBJECT, .flags = FIELD_NULLABLE, .max = 4096 } },
      .example = "{\"userId\":\"65d3f0a1b2c3d4e5f6071828\",\"amount\":50,\"reason\":\"Welcome\","
                 "\"metadata\":{\"ticket\":17}}",
      .refusals = { "400 Balance would go below zero", "404 User not found", IDEMPOTENCY_CONFLICT },
      .reply = "{\"success\":true,\"data\":{\"transaction\":" GRANT_EXAMPLE ",\"newBalance\":370}}" },
    { .id = "POINTS-20", .method = HTTP_POST, .path = "/internal/points/earn", .auth = AUTH_KEY_POINTS,
      .run = points_earn, .summary = "Points that a service reports, once for each reference",
      .description = "A repeat of type, referenceType and referenceId is answered with the first transaction.",
      .fields = { { .name = "userId", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .min = 1, .max = 128,
                    .help = "either this" },
                  { .name = "username", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE, .min = 1, .max = 128,
                    .help = "or this" },
                  { .name = "type", .type = FIELD_ENUM, .flags = FIELD_REQUIRED,
                    .choices = "earn referral purchase review" },
                  { .name = "amount", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 9007199254740991 },
                  { .name = "description", .type = FIELD_TEXT, .flags = FIELD_TRIM | FIELD_NULLABLE | FIELD_MULTILINE,
                    .max = 500 },
                  { .name = "referenceType", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .max = 64 },
                  { .name = "referenceId", .type = FIELD_TEXT, .flags = FIELD_NULLABLE, .max = 128 } },
      .example = "{\"userId\":\"65d3f0a1b2c3d4e5f6071828\",\"type\":\"review\",\"amount\":50,"
                 "\"description\":\"Review of a chair\",\"referenceType\":\"review\",\"referenceId\":\"17\"}",
      .refusals = { "404 User not found", "409 Reference was already used with different data", IDEMPOTENCY_CONFLICT },
      .reply = "{\"success\":true,\"data\":{\"transaction\":" REVIEW_EXAMPLE ",\"newBalance\":370}}" },
    { .id = "POINTS-21", .method = HTTP_PUT, .path = "/api/points/admin/levels", .auth = AUTH_ADMIN,
      .run = points_level_set, .summary = "Other levels in place of all there are",
      .fields = { { .name = "levels", .type = FIELD_ARRAY, .flags = FIELD_REQUIRED, .min = 1, .max = LEVELS_MAX,
                    .help = "{name, tier, minPoints, perks}, tiers and thresholds ascending, the first from 0" } },
      .example = "{" LEVELS_EXAMPLE "}",
      .reply = "{\"success\":true,\"data\":{" LEVELS_EXAMPLE "}}" },
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
    p->levels_changes++;
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
