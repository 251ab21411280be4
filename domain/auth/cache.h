/* Credentials that were verified before, by a keyed 128-bit hash of their text: neither tokens nor
 * keys are kept. Bounded; the oldest entry makes room. */
#pragma once

#include "core/list.h"
#include "domain/auth/auth.h"

struct auth_cache {
    struct map entries;
    struct list by_age;
    int max;
    uint8_t key[2][SIPHASH_KEY_BYTES];
};

void auth_cache_init(struct auth_cache *c, int max);
void auth_cache_fini(struct auth_cache *c);
void auth_cache_clear(struct auth_cache *c);
bool auth_cache_get(const struct auth_cache *c, struct str credentials, struct caller *who);
void auth_cache_put(struct auth_cache *c, struct str credentials, const struct caller *who);
