/* What the parts of the sample data share. */
#pragma once

#include "domain/command/shell.h"

struct seed {
    struct shell *sh;
    int step, steps;
};

/* One transfer, made once: the key is the next run's, too. */
struct seed_posting {
    const char *key, *kind, *memo;   /* memo may be NULL */
    int64_t debit, credit, amount;
    struct str metadata;             /* JSON text; STR_NONE: none */
    /* What else is to be written in the same transaction; NULL: nothing. False: it failed, and has been said. */
    bool (*attach)(struct seed *seed, const struct seed_posting *p, int64_t posting);
    const void *arg;
};

/* The progress line of one more step. */
void seed_say(struct seed *seed, bool made, const char *what, struct str name);
/* False: it failed, and has been said. */
bool seed_post(struct seed *seed, const struct seed_posting *p);

/* seed_rewards.c */
int seed_rewards_steps(void);
bool seed_rewards(struct seed *seed);
