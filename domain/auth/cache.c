#include "domain/auth/cache.h"

#include "core/mem.h"

struct cache_entry {
    struct list link;
    uint64_t hash[2];
    struct caller who;
};

static void hash_of(const struct auth_cache *c, struct str text, uint64_t out[2])
{
    out[0] = siphash(c->key[0], text.p, text.n);
    out[1] = siphash(c->key[1], text.p, text.n);
}

void auth_cache_init(struct auth_cache *c, int max)
{
    map_init(&c->entries);
    list_init(&c->by_age);
    c->max = max;
    random_bytes(c->key, sizeof c->key);
}

static void drop(struct auth_cache *c, struct cache_entry *e)
{
    map_remove(&c->entries, e->hash[0]);
    list_unlink(&e->link);
    mem_free(e);
}

void auth_cache_clear(struct auth_cache *c)
{
    while (!list_empty(&c->by_age)) drop(c, list_entry(list_first(&c->by_age), struct cache_entry, link));
}

void auth_cache_fini(struct auth_cache *c)
{
    auth_cache_clear(c);
    map_fini(&c->entries);
}

bool auth_cache_get(const struct auth_cache *c, struct str credentials, struct caller *who)
{
    uint64_t hash[2];
    hash_of(c, credentials, hash);
    const struct cache_entry *e = map_get(&c->entries, hash[0]);
    if (!e || e->hash[1] != hash[1]) return false;
    *who = e->who;
    return true;
}

void auth_cache_put(struct auth_cache *c, struct str credentials, const struct caller *who)
{
    uint64_t hash[2];
    hash_of(c, credentials, hash);
    struct cache_entry *old = map_get(&c->entries, hash[0]);
    if (old) drop(c, old);
    if ((int) c->entries.count >= c->max) drop(c, list_entry(list_first(&c->by_age), struct cache_entry, link));
    struct cache_entry *e = mem_new(struct cache_entry);
    e->hash[0] = hash[0];
    e->hash[1] = hash[1];
    e->who = *who;
    map_set(&c->entries, hash[0], e);
    list_append(&c->by_age, &e->link);
}
