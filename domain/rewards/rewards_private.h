/* What the files of domain/rewards share. */
#pragma once

#include "domain/rewards/options.h"
#include "domain/rewards/rewards.h"

struct rewards {
    struct reward_options options;
};

/* Calls `then` when memory knows the member named by the endpoint's first field as he is, after reading him from the
 * tables if need be; otherwise the request is answered. `from_memory`: the database was not asked. */
typedef void (*rewards_found)(struct http_request *req, const struct reward_member *member, bool from_memory);
void rewards_find(struct http_request *req, rewards_found then);

void rewards_create(struct http_request *req);
void rewards_points(struct http_request *req);
void rewards_earn(struct http_request *req);
void rewards_redeem(struct http_request *req);
void rewards_option_list(struct http_request *req);
void rewards_option_get(struct http_request *req);
