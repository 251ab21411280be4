/* The generic cell rate algorithm: a key's state is the one time at which its whole burst would be
 * free again ("full at"). Taking moves that time one interval on; it may not move further ahead of
 * now than the burst is long. A time that has passed says the same as no entry, so entries need no
 * removal: they go stale and are overwritten.
 *
 * Entries stand in a fixed table, each key within one neighbourhood of eight. When none of the
 * eight is stale, the one that would be soonest is overwritten: that key regains its burst early,
 * while those who are at their limit, whose times lie furthest ahead, stay. Keys are known by their
 * hash under a random key, so that nobody can aim at another's neighbourhood. */
#include "core/limiter.h"

#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"

enum { NEIGHBOURS = 8 };

struct entry {
    uint64_t key;
    uint64_t full_at_us;
};

struct limiter {
    uint64_t interval_us, burst_us;
    size_t mask;                          /* number of neighbourhoods - 1 */
    uint8_t hash_key[SIPHASH_KEY_BYTES];
    struct entry entries[];
};

struct limiter *limiter_new(int per_minute, int burst, int keys_max)
{
    must(per_minute > 0 && burst > 0 && keys_max > 0);
    size_t neighbourhoods = 1;
    while (neighbourhoods * NEIGHBOURS < (size_t) keys_max) neighbourhoods *= 2;
    struct limiter *l = mem_alloc(sizeof *l + neighbourhoods * NEIGHBOURS * sizeof *l->entries);
    l->interval_us = 60000000 / (uint64_t) per_minute;
    l->burst_us = l->interval_us * (uint64_t) burst;
    l->mask = neighbourhoods - 1;
    random_bytes(l->hash_key, sizeof l->hash_key);
    return l;
}

void limiter_free(struct limiter *l)
{
    mem_free(l);
}

/* The key's entry, or the one that is to become it. */
static struct entry *find(struct limiter *l, uint64_t key)
{
    struct entry *home = &l->entries[(key & l->mask) * NEIGHBOURS], *stalest = home;
    for (struct entry *e = home; e < home + NEIGHBOURS; e++) {
        if (e->key == key) return e;
        if (e->full_at_us < stalest->full_at_us) stalest = e;
    }
    *stalest = (struct entry){ .key = key };
    return stalest;
}

bool limiter_take(struct limiter *l, struct str key, uint64_t now_ms, int *retry_after_s)
{
    uint64_t now_us = now_ms * 1000;
    struct entry *e = find(l, siphash(l->hash_key, key.p, key.n));
    uint64_t full_at = (e->full_at_us > now_us ? e->full_at_us : now_us) + l->interval_us;
    uint64_t allowed = now_us + l->burst_us;
    if (full_at <= allowed) {
        e->full_at_us = full_at;
        return true;
    }
    uint64_t wait_s = (full_at - allowed + 999999) / 1000000;
    *retry_after_s = (int) wait_s;
    return false;
}
