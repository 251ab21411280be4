/* Levels: thresholds of the points ever earned. Pure: no loop, no database. */
#pragma once

#include "core/json.h"

enum { LEVELS_MAX = 50 };

struct level {
    struct str name;
    int64_t tier, min_points;
    struct str perks;             /* JSON array of texts */
};

/* Lowest first. Everything the levels point to lives in their arena. */
struct levels {
    struct level list[LEVELS_MAX];
    int count;
    struct arena arena;
};

void levels_init(struct levels *l);
void levels_fini(struct levels *l);

/* Reads [{name, tier, minPoints, perks}, …], tiers and thresholds ascending, 1 to 50 of them.
 * Replaces what was there, or returns ERR_INVALID with *why and changes nothing. */
enum err levels_read(struct levels *l, struct str json, const char **why);

/* What new levels must keep to beyond that: the first begins at 0, names have 1 to 64 characters, tiers are 0 to a
 * million, thresholds whole numbers that JSON can hold, at most 20 perks a level of 200 characters each. OK, or
 * ERR_INVALID with *why. */
enum err levels_check(const struct levels *l, const char **why);

/* The highest level whose threshold has been reached, NULL below the first; *next is the one after
 * it, NULL on the top. */
const struct level *levels_at(const struct levels *l, int64_t lifetime, const struct level **next);

/* True when going from `before` to `after` reaches a higher level than before; *previous is NULL
 * when there was none. */
bool levels_crossed(const struct levels *l, int64_t before, int64_t after, const struct level **previous,
                    const struct level **reached);
