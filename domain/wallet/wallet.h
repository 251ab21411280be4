/* The wallet of the userstate surface: what a user has, and spending it. */
#pragma once

#include "domain/app.h"

/* {"balance":…,"points":…} of the user as memory has him. */
void wallet_put(struct buf *b, const struct app *app, int64_t user);

extern const struct endpoint wallet_endpoints[];
