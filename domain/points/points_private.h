/* What the files of domain/points share. */
#pragma once

#include "domain/points/points.h"

struct points {
    struct app *app;
    struct levels levels;
};

/* {name, tier, minPoints} and what the caller adds: the object is left open. */
void points_open_level(struct buf *b, const struct level *level);

/* Calls then(req, user) when memory knows the user as he is, after reading him and his accounts
 * from the tables if need be; otherwise the request is answered. Exactly one of `user` (> 0) and
 * `username` is given. */
void points_find_user(struct http_request *req, int64_t user, struct str username,
                      void (*then)(struct http_request *req, const struct person *person));

void points_mine(struct http_request *req);
void points_admin_add(struct http_request *req);
