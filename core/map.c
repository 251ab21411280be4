/* Open addressing with linear probing, at most 3/4 full. Removing shifts the followers back
 * instead of leaving tombstones, so the table never degrades. */
#include "core/map.h"

#include <sys/random.h>

#include "core/mem.h"
#include "core/must.h"

enum { FIRST_CAPACITY = 16 };

static uint64_t process_seed(void)
{
    static uint64_t seed;
    while (seed == 0) must(getrandom(&seed, sizeof seed, 0) == (ssize_t) sizeof seed);
    return seed;
}

static size_t slot_of(const struct map *m, uint64_t key)
{
    uint64_t h = key ^ m->seed;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return (size_t) (h ^ h >> 33) & (m->capacity - 1);
}

void map_init(struct map *m)
{
    *m = (struct map){ .seed = process_seed() };
}

void map_fini(struct map *m)
{
    mem_free(m->slots);
    *m = (struct map){ 0 };
}

static struct map_slot *find(const struct map *m, uint64_t key)
{
    size_t i = slot_of(m, key);
    while (m->slots[i].value && m->slots[i].key != key) i = (i + 1) & (m->capacity - 1);
    return &m->slots[i];
}

void *map_get(const struct map *m, uint64_t key)
{
    return m->capacity ? find(m, key)->value : NULL;
}

static void grow(struct map *m)
{
    struct map_slot *old = m->slots;
    size_t old_capacity = m->capacity;
    m->capacity = old_capacity ? old_capacity * 2 : FIRST_CAPACITY;
    m->slots = mem_alloc(m->capacity * sizeof *m->slots);
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].value) *find(m, old[i].key) = old[i];
    }
    mem_free(old);
}

void *map_set(struct map *m, uint64_t key, void *value)
{
    must(value != NULL);
    if ((m->count + 1) * 4 > m->capacity * 3) grow(m);
    struct map_slot *slot = find(m, key);
    void *before = slot->value;
    if (!before) m->count++;
    *slot = (struct map_slot){ key, value };
    return before;
}

void *map_remove(struct map *m, uint64_t key)
{
    if (!m->capacity) return NULL;
    struct map_slot *slot = find(m, key);
    void *before = slot->value;
    if (!before) return NULL;
    m->count--;
    size_t mask = m->capacity - 1, hole = (size_t) (slot - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
        size_t home = slot_of(m, m->slots[i].key);
        if (((i - home) & mask) < ((i - hole) & mask)) continue;
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole].value = NULL;
    return before;
}

void *map_next(const struct map *m, size_t *cursor)
{
    while (*cursor < m->capacity) {
        void *value = m->slots[(*cursor)++].value;
        if (value) return value;
    }
    return NULL;
}
