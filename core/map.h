/* A hash table from 64-bit keys to pointers, 16 bytes a slot: accounts by id, users by id, caches
 * by hash. Keys are mixed with a seed of the process, so that nobody outside can make them
 * collide. Key 0 is allowed; values are never NULL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct map {
    struct map_slot *slots;
    size_t count, capacity;   /* capacity is 0 or a power of two */
    uint64_t seed;
};

struct map_slot {
    uint64_t key;
    void *value;   /* NULL: the slot is free */
};

void map_init(struct map *m);
void map_fini(struct map *m);                            /* does not free the values */
void *map_get(const struct map *m, uint64_t key);        /* NULL when absent */
void *map_set(struct map *m, uint64_t key, void *value); /* the value that was there before, or NULL */
void *map_remove(struct map *m, uint64_t key);           /* the value that was there, or NULL */

/* for (size_t i = 0; (v = map_next(m, &i));) visits every value; no change of the map meanwhile. */
void *map_next(const struct map *m, size_t *cursor);
