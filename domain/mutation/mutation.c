#include "domain/mutation/mutation.h"

#include "domain/auth/auth.h"
#include "sql.h"

const struct endpoint mutation_endpoints[] = {
    { .id = "USR-34", .method = HTTP_GET, .path = "/points/history", .auth = AUTH_CUSTOMER,
      .sql = &sql_mutation_points, .summary = "What moved on one's points, newest first",
      .fields = { { .name = "page", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 100000, .initial = "1" },
                  { .name = "limit", .in = IN_QUERY, .type = FIELD_INT, .min = 1, .max = 500, .initial = "100" } },
      .reply = "[{\"id\":1,\"type\":\"CREDIT\",\"amount\":50,\"description\":\"Referral bonus\","
               "\"created_at\":\"2024-01-01T00:00:00.000Z\"}]" },
    { .id = "USR-36", .method = HTTP_GET, .path = "/referral/history", .auth = AUTH_CUSTOMER,
      .sql = &sql_mutation_referrals, .summary = "Who came by one's referral code, newest first",
      .reply = "[{\"username\":\"referred_user\",\"referral_code\":\"JOHN1234\",\"status\":\"completed\","
               "\"created_at\":\"2024-01-01T00:00:00.000Z\"}]" },
    { .id = "USR-37", .method = HTTP_GET, .path = "/referral/stats", .auth = AUTH_CUSTOMER,
      .sql = &sql_mutation_referral_stats, .summary = "How many came by one's referral code, and what they brought",
      .reply = "{\"total_referrals\":10,\"completed_referrals\":8,\"pending_referrals\":2,"
               "\"total_earned_points\":400}" },
    { 0 },
};
