/* Points spent: on a discount code of the spender's, or on his wallet (POINTS-06; USR-35). */
#pragma once

#include "domain/points/points.h"
#include "domain/points/redeem_rule.h"

enum redeem_purpose { REDEEM_DISCOUNT_CODE, REDEEM_WALLET_CREDIT };   /* in the order of POINTS-06's choices */

struct redemption {
    /* Set by the caller; it lives in the request's arena until `done`. */
    struct http_request *req;
    const struct person *person;
    int64_t points;                   /* redeem_check has taken them */
    enum redeem_purpose purpose;
    struct str purchase;              /* of the purchase it is for, or STR_NONE */
    void (*done)(struct redemption *r, enum err err);

    /* Set before `done`. err OK: look at `claimed`, then at posting.outcome; what follows is for POSTING_DONE and
     * POSTING_REPLAYED, then as it was the first time. The posting's second leg, with REDEEM_WALLET_CREDIT, is the
     * wallet's. */
    struct posting posting;
    bool claimed;                     /* he has redeemed for this purchase before */
    int64_t credit;                   /* cents */
    struct str currency;
    char code[DISCOUNT_CODE_CHARS + 1];   /* "" for a credit */
    int64_t account;                  /* the points account */
    int tries;
};

/* May so many points be redeemed, whoever has them? NULL, or what is wrong with the amount (in the arena). */
const char *redeem_check(const struct settings *s, int64_t points, struct arena *arena);

/* Spends them: `done` comes once, possibly before the call returns, unless the request had to be answered with an
 * error before anything was tried (a malformed Idempotency-Key). */
void redeem_start(struct redemption *r);
