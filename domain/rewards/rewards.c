/* The rewards surface: its table, what may be redeemed, and how its handlers find a member. */
#include "domain/rewards/rewards.h"

#include "core/log.h"
#include "core/mem.h"
#include "domain/auth/auth.h"
#include "domain/idempotency.h"
#include "domain/live/live.h"
#include "domain/rewards/rewards_private.h"
#include "domain/sql_endpoint.h"
#include "sql.h"

#define USER_MEMBERS                                                                                                   \
    "\"id\":\"john123\",\"name\":\"John Doe\",\"email\":\"john@example.com\",\"createdAt\":\"2026-02-09T10:00:00.000Z\""
#define TRANSACTION_EXAMPLE                                                                                            \
    "{\"id\":\"65d6f0a1b2c3d4e5f6071831\",\"userId\":\"john123\",\"amount\":100,\"category\":\"shopping\","            \
    "\"pointsEarned\":500,\"timestamp\":\"2026-02-09T10:00:00.000Z\"}"
#define REDEMPTION_EXAMPLE                                                                                             \
    "{\"id\":\"65d6f0a1b2c3d4e5f6071832\",\"userId\":\"john123\",\"rewardType\":\"voucher\","                          \
    "\"pointsRedeemed\":200,\"timestamp\":\"2026-02-09T10:00:00.000Z\"}"
#define OPTION_EXAMPLE                                                                                                 \
    "{\"type\":\"voucher\",\"name\":\"Voucher\",\"description\":\"A voucher for a purchase\",\"minPoints\":100}"

#define ONCE "With the header Idempotency-Key a repeat has no effect and is answered as the first time."

#define FIELD_MEMBER { .name = "userId", .in = IN_PATH, .type = FIELD_TEXT, .flags = FIELD_WORD, .max = MEMBER_ID_MAX }
#define FIELD_PAGE                                                                                                     \
    { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 1000000000, .initial = "1" }
/* The lists of the administration: everything, up to ten thousand rows, unless it asks for less. */
#define FIELDS_ADMIN                                                                                                   \
    { FIELD_PAGE,                                                                                                      \
      { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 10000, .initial = "10000" } }

const struct endpoint rewards_endpoints[] = {
    { .id = "REW-01", .method = HTTP_POST, .path = "/rewards/create-user", .auth = AUTH_REWARDS,
      .run = rewards_create, .status = 201, .summary = "A new member, without points",
      .fields = { { .name = "id", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_WORD, .min = 1,
                    .max = MEMBER_ID_MAX, .help = "chosen by the caller" },
                  { .name = "name", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1, .max = 100 },
                  { .name = "email", .type = FIELD_EMAIL, .flags = FIELD_REQUIRED } },
      .example = "{\"id\":\"john123\",\"name\":\"John Doe\",\"email\":\"john@example.com\"}",
      .reply = "{" USER_MEMBERS ",\"points\":0}", .refusals = { "400 User already exists" } },
    { .id = "REW-02", .method = HTTP_POST, .path = "/rewards/add-points/:userId", .auth = AUTH_REWARDS,
      .run = rewards_earn, .status = 201, .summary = "A member earns points", .description = ONCE,
      .fields = { FIELD_MEMBER,
                  { .name = "points", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1, .max = 1000000 },
                  { .name = "category", .type = FIELD_TEXT, .flags = FIELD_REQUIRED | FIELD_TRIM, .min = 1,
                    .max = 50 },
                  { .name = "amount", .type = FIELD_MONEY, .initial = "0", .help = "of the purchase" } },
      .example = "{\"points\":500,\"category\":\"shopping\",\"amount\":100}",
      .reply = "{\"userId\":\"john123\",\"pointsAdded\":500,\"points\":500,\"transaction\":" TRANSACTION_EXAMPLE "}",
      .refusals = { "404 User not found", IDEMPOTENCY_CONFLICT } },
    { .id = "REW-03", .method = HTTP_GET, .path = "/rewards/points/:userId", .auth = AUTH_REWARDS,
      .run = rewards_points, .summary = "A member's points",
      .description = "X-Cache is HIT when they came from memory, MISS when the database had to be asked; "
                     "either way they are those of now.",
      .fields = { FIELD_MEMBER }, .reply = "{\"userId\":\"john123\",\"points\":500}",
      .refusals = { "404 User not found" } },
    { .id = "REW-04", .method = HTTP_GET, .path = "/rewards/transactions/:userId", .auth = AUTH_REWARDS,
      .sql = &sql_rewards_transactions, .not_found = "User not found", .summary = "What a member earned, newest first",
      .fields = { FIELD_MEMBER, FIELD_PAGE,
                  { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100, .initial = "10" } },
      .reply = "{\"transactions\":[" TRANSACTION_EXAMPLE "],"
               "\"pagination\":{\"page\":1,\"limit\":10,\"total\":1,\"totalPages\":1}}" },
    { .id = "REW-05", .method = HTTP_POST, .path = "/rewards/redeem/:userId", .auth = AUTH_REWARDS,
      .run = rewards_redeem, .status = 201, .summary = "A member spends points", .description = ONCE,
      .fields = { FIELD_MEMBER,
                  { .name = "pointsToRedeem", .type = FIELD_INT, .flags = FIELD_REQUIRED, .min = 1 },
                  { .name = "rewardType", .type = FIELD_TEXT, .flags = FIELD_REQUIRED, .min = 1, .max = 100,
                    .help = "a type of GET /rewards/options" } },
      .example = "{\"pointsToRedeem\":200,\"rewardType\":\"voucher\"}",
      .reply = "{\"redemption\":" REDEMPTION_EXAMPLE ",\"remainingPoints\":300}",
      .refusals = { "400 Insufficient points", "404 User not found", IDEMPOTENCY_CONFLICT } },
    { .id = "REW-06", .method = HTTP_GET, .path = "/rewards/options", .run = rewards_option_list,
      .summary = "What points may be redeemed for", .reply = "[" OPTION_EXAMPLE "]" },
    { .id = "REW-22", .method = HTTP_GET, .path = "/rewards/options/:type", .run = rewards_option_get,
      .summary = "One of the options",
      .fields = { { .name = "type", .in = IN_PATH, .type = FIELD_TEXT } }, .reply = OPTION_EXAMPLE,
      .refusals = { "404 Reward option not found" } },
    { .id = "REW-07", .method = HTTP_GET, .path = "/analytics/rewards-distribution", .sql = &sql_rewards_distribution,
      .summary = "Who earns and spends how much",
      .description = "The thousand largest categories and reward types.",
      .reply = "{\"totalUsers\":3,\"totalPointsEarned\":1500,\"totalPointsRedeemed\":400,"
               "\"totalPointsOutstanding\":1100,\"averagePointsPerUser\":366.67,"
               "\"byCategory\":[{\"category\":\"shopping\",\"totalPoints\":900,\"transactions\":4,\"percentage\":60}],"
               "\"byRewardType\":[{\"rewardType\":\"voucher\",\"totalPoints\":400,\"redemptions\":2,"
               "\"percentage\":100}]}" },
    { .id = "REW-08", .method = HTTP_GET, .path = "/rewards/admin/users", .auth = AUTH_REWARDS,
      .sql = &sql_rewards_admin_users, .summary = "All members, oldest first", .fields = FIELDS_ADMIN,
      .reply = "{\"users\":[{" USER_MEMBERS ",\"points\":500}],\"total\":1}" },
    { .id = "REW-09", .method = HTTP_GET, .path = "/rewards/admin/transactions", .auth = AUTH_REWARDS,
      .sql = &sql_rewards_admin_transactions, .summary = "All earnings, newest first", .fields = FIELDS_ADMIN,
      .reply = "{\"transactions\":[" TRANSACTION_EXAMPLE "],\"total\":1}" },
    { .id = "REW-10", .method = HTTP_GET, .path = "/rewards/admin/redemptions", .auth = AUTH_REWARDS,
      .sql = &sql_rewards_admin_redemptions, .summary = "All redemptions, newest first", .fields = FIELDS_ADMIN,
      .reply = "{\"redemptions\":[" REDEMPTION_EXAMPLE "],\"total\":1}" },
    { .id = "REW-11", .method = HTTP_GET, .path = "/rewards/admin/database-summary", .auth = AUTH_REWARDS,
      .sql = &sql_rewards_admin_summary, .summary = "How much of everything there is",
      .reply = "{\"users\":3,\"rewards\":3,\"transactions\":12,\"redemptions\":4,\"totalPointsEarned\":1500,"
               "\"totalPointsRedeemed\":400,\"totalPointsOutstanding\":1100}" },
    { 0 },
};

struct rewards *rewards_new(void)
{
    struct rewards *r = mem_new(struct rewards);
    reward_options_init(&r->options);
    return r;
}

void rewards_free(struct rewards *r)
{
    reward_options_fini(&r->options);
    mem_free(r);
}

void rewards_set_options(struct rewards *r, struct str json)
{
    const char *why;
    /* They come from our own table; what it holds in spite of all checks must not take the old ones away. */
    if (reward_options_read(&r->options, json, &why) != OK)
        log_error("rewards", "options_refused", "why=%s", LOG_STR(str_from(why)));
}

/* REW-06 and 22: from memory */

void rewards_option_list(struct http_request *req)
{
    struct str json = app_of(req)->rewards->options.json;
    if (json.p) reply_json(req, 200, json);
    else reply_err(req, ERR_UNAVAILABLE);   /* nothing has been loaded yet */
}

void rewards_option_get(struct http_request *req)
{
    const struct reward_options *options = &app_of(req)->rewards->options;
    const struct reward_option *option = reward_options_find(options, req->values[0].s);
    if (option) reply_json(req, 200, option->json);
    else if (options->json.p) reply_error(req, 404, "Reward option not found");
    else reply_err(req, ERR_UNAVAILABLE);
}

/* Members: out of memory, or out of the tables first when memory cannot tell: while the change stream is not live, and
 * for one whom another process made a moment ago. */

struct finding {
    struct http_request *req;
    rewards_found then;
};

static void on_rows(void *arg, enum err err, const struct db_result *r)
{
    struct finding *f = arg;
    struct app *app = app_of(f->req);
    const struct reward_member *known = book_member(&app->book, f->req->values[0].s);
    bool away = err != OK && err != ERR_SQL;
    if (away && known && live_memory_is_good(app->live)) {
        f->then(f->req, known, true);
        return;
    }
    if (err != OK) {
        sql_endpoint_failed(f->req, err, r);
        return;
    }
    const struct account *a = db_rows(r) ? live_apply_own(app->live, db_cell(r, 0, 0)) : NULL;
    if (a) f->then(f->req, member_of(a), false);
    else reply_error(f->req, 404, "User not found");
}

void rewards_find(struct http_request *req, rewards_found then)
{
    struct app *app = app_of(req);
    struct str id = req->values[0].s;
    const struct reward_member *member = book_member(&app->book, id);
    if (member && live_memory_is_good(app->live)) {
        then(req, member, true);
        return;
    }
    if (id.n == 0) {   /* what cannot be a member's id */
        reply_error(req, 404, "User not found");
        return;
    }
    struct finding *f = arena_new(&req->arena, struct finding);
    struct db_args args;
    *f = (struct finding){ req, then };
    db_args_init(&args, &req->arena);
    db_text(&args, id);
    enum err err = db_exec(app->db, &sql_rewards_member, &args, on_rows, f);
    if (err != OK) reply_err(req, err);
}
