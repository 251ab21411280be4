/* Idempotency keys: what is stored of them, which are under way in this process, and which it has
 * seen committed lately. */
#pragma once

#include "domain/ledger/ledger.h"

struct keys {
    /* The first posting with a key, by the key's last 8 bytes; the others wait in its `same`. */
    struct map under_way;
    uint64_t *recent;             /* a bounded, forgetful set of committed keys */
    uint64_t process, counter;    /* for postings without a key */
};

void keys_init(struct keys *k);
void keys_fini(struct keys *k);

/* Fills in idem (but for the generation), request_hash and has_idem. */
void keys_sign(struct keys *k, struct posting *p);

/* True: p is the only one with its key and may go on. False: it waits behind the one that is under way. */
bool keys_enter(struct keys *k, struct posting *p);
/* p has been settled: those that wait with its key are moved to `same`. */
void keys_leave(struct keys *k, struct posting *p, struct list *same);

/* Has this key perhaps been committed? Remembers some hundred thousand; may be wrong either way, for it only says which
 * postings are better looked up before they are tried. */
bool keys_suspect(const struct keys *k, const struct posting *p);
void keys_remember(struct keys *k, const struct posting *p);
