/* Points and levels. The level follows the lifetime points, which stand on the points account under
 * its lock. */
#pragma once

#include "domain/app.h"
#include "domain/points/levels.h"

struct points;

struct points *points_new(struct app *app);
void points_free(struct points *p);

/* The levels as a JSON array of {name, tier, minPoints, perks}, lowest first; copied. */
void points_set_levels(struct points *p, struct str json);
/* The level reached with these lifetime points (the lowest, when that is not reached either), and
 * the next one (NULL on the top). Never NULL once levels are set. */
const struct level *points_level(const struct points *p, int64_t lifetime, const struct level **next);

/* {name, tier, minPoints, perks}, as every reply and event shows a level. */
void points_put_level(struct buf *b, const struct level *level);

/* A posting that earns points: call as (or from) posting.decided. When `lifetime_before` →
 * posted[leg].lifetime_after crosses a threshold upward it attaches the level-up of that user's
 * inbox, once, for the highest level reached. The posting's request arena holds the texts. */
void points_attach_level_up(struct points *p, struct posting *posting, int leg, const struct person *person,
                            int64_t lifetime_before, struct arena *arena);

/* A transfer of a points account as clients see it. */
struct point_transaction {
    int64_t id, user;
    struct str kind;              /* "points.admin_grant" */
    int64_t amount;               /* signed: below 0 when points went away */
    int64_t balance_after;
    struct str description, reference_type, reference_id;   /* STR_NONE: null */
    struct str metadata;          /* JSON object; STR_NONE: {} */
    int64_t created_us;
};

/* Of a leg that was committed, seen from the user's points account; the texts are the posting's
 * own. */
struct point_transaction points_transaction_of(const struct posting *p, int leg, int64_t user, int64_t account);
void points_put_transaction(struct buf *b, const struct app *app, const struct point_transaction *t);

/* For http_options.unknown_path: below /api/points everything unknown is 401 without a token, else
 * 404. */
void points_unknown_path(struct http_request *req);

extern const struct endpoint points_endpoints[];
