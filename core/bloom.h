/* A Bloom filter: says of a key "surely not among those added" or "perhaps". Two bytes for each key expected give one
 * false "perhaps" in about a thousand; more keys than expected only make these more frequent.
 *
 * All bits of a key lie in one block of 32 bytes, so that a question costs one miss of the cache. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/str.h"

struct bloom {
    uint8_t *blocks;          /* NULL: none yet */
    uint32_t count;           /* of blocks */
};

void bloom_init(struct bloom *b, int64_t keys);   /* so many are expected */
void bloom_fini(struct bloom *b);                 /* harmless when there is none */
/* Takes the place of bloom_init: from the hexadecimal digits of bloom_bytes. False when they cannot be those. */
bool bloom_read(struct bloom *b, struct str hex);
struct str bloom_bytes(const struct bloom *b);    /* the same on every machine; lives as long as the filter */

/* `hash`: 64 bits of the key, evenly distributed. */
void bloom_add(struct bloom *b, uint64_t hash);
bool bloom_perhaps(const struct bloom *b, uint64_t hash);
/* Ask soon: of many filters, so that their misses of the cache overlap. */
void bloom_prefetch(const struct bloom *b, uint64_t hash);
