/* What the files of domain/points share. */
#pragma once

#include "domain/points/points.h"

struct points {
    struct app *app;
    struct levels levels;
    uint64_t levels_changes;          /* how often they have been replaced since the start */
};

/* {name, tier, minPoints} and what the caller adds: the object is left open. */
void points_open_level(struct buf *b, const struct level *level);

/* Calls then(req, user) when memory knows the user as he is, after reading him and his accounts
 * from the tables if need be; otherwise the request is answered. Exactly one of `user` (> 0) and
 * `username` is given. */
void points_find_user(struct http_request *req, int64_t user, struct str username,
                      void (*then)(struct http_request *req, const struct person *person));

/* The same for whoever `who` names: by public id, by number or by username. */
void points_find_named(struct http_request *req, struct str who,
                       void (*then)(struct http_request *req, const struct person *person));

/* One posting of points between the issuer and a user (mint.c); it lives in the request's arena. */
struct mint {
    struct posting posting;           /* the caller fills in what mint_new and mint_submit do not */
    struct http_request *req;
    const struct person *person;
    int64_t account;                  /* the user's points account */
    void (*otherwise)(struct mint *m);
};
/* amount > 0: to the user. NULL: there cannot be one, and the request is answered. */
struct mint *mint_new(struct http_request *req, const struct person *person, int64_t amount, struct str kind);
/* Posts it, with the level-up that it causes. When it is done the request is answered with it;
 * `otherwise` answers for every other outcome. */
void mint_submit(struct mint *m, void (*otherwise)(struct mint *m));
void mint_reply(const struct mint *m);
void mint_reply_replayed(const struct mint *m);
void mint_reply_refused(const struct mint *m);   /* for outcomes without words of their own */

void points_mine(struct http_request *req);            /* POINTS-01 */
void points_transactions(struct http_request *req);    /* POINTS-02 */
void points_level_list(struct http_request *req);      /* POINTS-04 */
void points_redeem(struct http_request *req);          /* POINTS-06 */
void points_referral_code(struct http_request *req);   /* POINTS-07 */
void points_short_link(struct http_request *req);      /* POINTS-08 */
void points_admin_add(struct http_request *req);       /* POINTS-09 */
void points_earn(struct http_request *req);            /* POINTS-20 */
void points_level_set(struct http_request *req);       /* POINTS-21 */
