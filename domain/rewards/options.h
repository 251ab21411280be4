/* What points may be redeemed for. Pure: the list is made from its JSON text and looked at. */
#pragma once

#include "core/json.h"

struct reward_option {
    struct str type;
    int64_t min_points;
    struct str json;          /* the whole, as REW-22 shows it */
};

struct reward_options {
    struct arena arena;       /* all texts */
    struct str json;          /* the array, as REW-06 shows it; p == NULL: nothing has been set yet */
    struct reward_option *list;
    int count;
};

void reward_options_init(struct reward_options *o);
void reward_options_fini(struct reward_options *o);
/* ERR_INVALID: it is no list of options, *why tells; the old list stays. */
enum err reward_options_read(struct reward_options *o, struct str json, const char **why);
const struct reward_option *reward_options_find(const struct reward_options *o, struct str type);   /* NULL: none */
