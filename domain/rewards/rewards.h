/* The rewards surface: members with points of their own, which they earn and redeem (REW-01 … 11, 22). */
#pragma once

#include "domain/app.h"

struct rewards;

struct rewards *rewards_new(void);
void rewards_free(struct rewards *r);

/* What points may be redeemed for: a JSON array of {type, name, description, minPoints}; copied. */
void rewards_set_options(struct rewards *r, struct str json);

extern const struct endpoint rewards_endpoints[];
