/* The key as stored is 104 bits of SHA-256(scope, 0, key) behind the generation's 24 (generations.h): one index finds
 * it whatever its length, and nobody can make two keys collide. A posting without a key gets one of its own
 * nevertheless, so that after a lost connection it can be asked for: a random number of this process and a counter.
 *
 * Of several postings with one key only the first is under way; the others hang on it (`same`) and are
 * settled with it. The last 64 bits lead to it; the caller compares the rest before it answers. */
#include "domain/ledger/keys.h"

#include <string.h>

#include "core/digest.h"
#include "core/mem.h"
#include "core/must.h"

enum { GENERATION_BYTES = 3, OWN_BYTES = 7 };   /* own: of a key's 13, the process's part; the rest is its counter */
enum { SETS = 1 << 15, WAYS = 8 };   /* 2 MiB; a set is one line of the cache, newest first */

static uint64_t head_of(const struct posting *p)
{
    uint64_t v;
    memcpy(&v, p->idem + sizeof p->idem - sizeof v, sizeof v);
    return v;
}

void keys_init(struct keys *k)
{
    *k = (struct keys){ .recent = mem_alloc(SETS * WAYS * sizeof(uint64_t)) };
    map_init(&k->under_way);
    random_bytes(&k->process, sizeof k->process);
}

void keys_fini(struct keys *k)
{
    must(k->under_way.count == 0);
    map_fini(&k->under_way);
    mem_free(k->recent);
}

void keys_sign(struct keys *k, struct posting *p)
{
    uint8_t hash[SHA256_BYTES];
    char text[256 + 1 + POSTING_KEY_MAX];
    p->has_idem = p->key.p != NULL;
    memset(p->idem, 0, GENERATION_BYTES);
    if (!p->has_idem) {
        k->counter++;
        memcpy(p->idem + GENERATION_BYTES, &k->process, OWN_BYTES);
        memcpy(p->idem + GENERATION_BYTES + OWN_BYTES, &k->counter, sizeof p->idem - GENERATION_BYTES - OWN_BYTES);
        p->request_hash = 0;
        return;
    }
    must(p->scope.n <= 256 && p->key.n <= POSTING_KEY_MAX);
    if (p->scope.n) memcpy(text, p->scope.p, p->scope.n);
    text[p->scope.n] = 0;
    memcpy(text + p->scope.n + 1, p->key.p, p->key.n);
    sha256((struct str){ text, p->scope.n + 1 + p->key.n }, hash);
    memcpy(p->idem + GENERATION_BYTES, hash + GENERATION_BYTES, sizeof p->idem - GENERATION_BYTES);
    sha256(p->request, hash);
    memcpy(&p->request_hash, hash, sizeof p->request_hash);
    p->request_hash &= INT64_MAX;   /* INT64_MIN stands for NULL in arrays */
}

bool keys_enter(struct keys *k, struct posting *p)
{
    list_init(&p->same);
    if (!p->has_idem) return true;
    struct posting *first = map_get(&k->under_way, head_of(p));
    if (first) {
        list_append(&first->same, &p->link);
        return false;
    }
    map_set(&k->under_way, head_of(p), p);
    return true;
}

void keys_leave(struct keys *k, struct posting *p, struct list *same)
{
    list_init(same);
    if (!p->has_idem) return;
    must(map_remove(&k->under_way, head_of(p)) == p);
    list_move(same, &p->same);
}

static uint64_t *set_of(const struct keys *k, const struct posting *p)
{
    return &k->recent[head_of(p) % SETS * WAYS];
}

bool keys_suspect(const struct keys *k, const struct posting *p)
{
    if (!p->has_idem) return false;
    const uint64_t *set = set_of(k, p);
    for (int i = 0; i < WAYS; i++) {
        if (set[i] == head_of(p)) return true;
    }
    return false;
}

void keys_remember(struct keys *k, const struct posting *p)
{
    if (!p->has_idem || keys_suspect(k, p)) return;
    uint64_t *set = set_of(k, p);
    memmove(&set[1], &set[0], (WAYS - 1) * sizeof *set);
    set[0] = head_of(p);
}
