/* Points and levels. The level follows the lifetime points, which stand on the points account under its lock. */
#pragma once

#include "domain/app.h"

enum { LEVELS_MAX = 50 };

struct level {
    struct str name;
    int64_t tier, min_points;
    struct str perks;             /* JSON array */
};

struct points;

struct points *points_new(struct app *app);
void points_free(struct points *p);

/* The levels as a JSON array of {name, tier, minPoints, perks}, lowest first; copied. */
void points_set_levels(struct points *p, struct str json);
/* The highest level reached with these lifetime points, and the next one (NULL on the top). Never NULL once levels are set. */
const struct level *points_level(const struct points *p, int64_t lifetime, const struct level **next);

/* A posting that earns points: call as (or from) posting.decided. When `lifetime_before` → posted[leg].lifetime_after crosses a threshold
 * upward it attaches the level-up of that user's inbox, once, for the highest level reached. The posting's request arena holds the texts. */
void points_attach_level_up(struct points *p, struct posting *posting, int leg, const struct person *person, int64_t lifetime_before,
                            struct arena *arena);

/* For http_options.unknown_path: below /api/points everything unknown is 401 without a token, else 404. */
void points_unknown_path(struct http_request *req);

extern const struct endpoint points_endpoints[];
