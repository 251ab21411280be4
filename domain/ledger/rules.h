/* What the ledger decides, and nothing else: states of accounts and a posting go in, an outcome and
 * the new states come out. No loop, no database, no memory of its own, so that it can be tested
 * against a naive model with millions of random postings, and used alike on predicted states
 * (batch.c) and on locked ones (exact.c). */
#pragma once

#include "domain/ledger/ledger.h"

/* An account as the rules see it. For an unbounded one balance, version and lifetime mean nothing. */
struct rules_account {
    int64_t id, owner;
    int64_t balance, version, lifetime;
    uint8_t asset, status;
    bool unbounded;
};

struct rules_accounts {
    /* The state that counts now, to be changed in place; NULL: there is no such account. The pointer
     * stays good until the posting has been decided. */
    struct rules_account *(*find)(void *arg, int64_t id);
    void *arg;
};

/* What an account was before the posting changed it. */
struct rules_change {
    struct rules_account *account;
    int64_t balance, version, lifetime;
};

struct rules_verdict {
    enum outcome outcome;
    int64_t lifetime_before;      /* of the first points account that moves; else 0 */
    int changed;                  /* one entry for each side of each leg, in order; unbounded ones stay */
    struct rules_change before[2 * POSTING_LEGS_MAX];
};

/* Decides p. `committed_hash` is the request hash stored with p's key, NULL when the key is new. The
 * reasons are looked at in the order of enum outcome, each for all legs before the next; balances leg by
 * leg, a later leg sees what the earlier ones did. When all is well the states are changed and p->posted
 * is written (but its ids); otherwise nothing has changed. */
void rules_decide(const struct rules_accounts *accounts, const int64_t *committed_hash, struct posting *p,
                  struct rules_verdict *v);

/* Takes the changes back, as if the posting had not been decided; only the newest may be taken back. */
void rules_undo(struct rules_verdict *v);

/* As rules_decide answers for a key that was committed before. */
enum outcome rules_replay(int64_t committed_hash, const struct posting *p);
