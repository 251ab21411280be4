/* A posting is decided in two passes. The first looks at what does not depend on balances: do the
 * accounts exist, whose are they, are they active, do they hold the same asset. The second moves the
 * legs one after the other on the states themselves and keeps what was before; the first leg that
 * cannot be moved takes all earlier ones back. */
#include "domain/ledger/rules.h"

#include "core/must.h"

struct side {
    struct rules_account *debit, *credit;
};

enum outcome rules_replay(int64_t committed_hash, const struct posting *p)
{
    return committed_hash == p->request_hash ? POSTING_REPLAYED : POSTING_KEY_CONFLICT;
}

static bool same_account(const struct posting *p)
{
    for (int i = 0; i < p->leg_count; i++) {
        /* -1 stands for any account that does not exist, so two of them need not be the same one. */
        if (p->legs[i].debit == p->legs[i].credit && p->legs[i].debit != -1) return true;
    }
    return false;
}

static bool find_all(const struct rules_accounts *accounts, const struct posting *p, struct side *sides)
{
    for (int i = 0; i < p->leg_count; i++) {
        sides[i].debit = accounts->find(accounts->arg, p->legs[i].debit);
        if (!sides[i].debit) return false;
        sides[i].credit = accounts->find(accounts->arg, p->legs[i].credit);
        if (!sides[i].credit) return false;
    }
    return true;
}

/* The reasons that have nothing to do with balances; POSTING_DONE when there is none. */
static enum outcome admit(const struct rules_accounts *accounts, const struct posting *p, struct side *sides)
{
    if (same_account(p)) return POSTING_SAME_ACCOUNT;
    if (!find_all(accounts, p, sides)) return POSTING_NO_ACCOUNT;
    if (p->owner && sides[0].debit->owner != p->owner) return POSTING_NOT_OWNER;
    for (int i = 0; i < p->leg_count; i++) {
        if (sides[i].debit->status != ACCOUNT_ACTIVE || sides[i].credit->status != ACCOUNT_ACTIVE)
            return POSTING_NOT_ACTIVE;
    }
    for (int i = 0; i < p->leg_count; i++) {
        if (sides[i].debit->asset != sides[i].credit->asset) return POSTING_ASSET_MISMATCH;
    }
    return POSTING_DONE;
}

static void keep(struct rules_verdict *v, struct rules_account *a)
{
    v->before[v->changed++] = (struct rules_change){ a, a->balance, a->version, a->lifetime };
}

static bool move_debit(struct rules_verdict *v, struct rules_account *a, const struct leg *leg, struct posted *posted)
{
    int sign = transfer_lifetime_debit(leg->kind);
    /* Spending leaves the points ever earned as they are; it tells them all the same, as they were then. */
    bool tells = sign || a->asset == ASSET_PTS;
    posted->debit_after = posted->debit_version = INT64_MIN;
    if (a->unbounded) {
        keep(v, a);
        return true;
    }
    int64_t lifetime;
    if (a->balance < leg->amount) {
        v->outcome = POSTING_INSUFFICIENT;
        return false;
    }
    if (__builtin_add_overflow(a->lifetime, sign * leg->amount, &lifetime)) {
        v->outcome = POSTING_OVERFLOW;
        return false;
    }
    if (tells && !v->lifetime_before) v->lifetime_before = a->lifetime;
    keep(v, a);
    a->balance -= leg->amount;
    a->version++;
    a->lifetime = lifetime;
    posted->debit_after = a->balance;
    posted->debit_version = a->version;
    if (tells) posted->lifetime_after = lifetime;
    return true;
}

static bool move_credit(struct rules_verdict *v, struct rules_account *a, const struct leg *leg, struct posted *posted)
{
    int sign = transfer_lifetime_credit(leg->kind);
    posted->credit_after = posted->credit_version = INT64_MIN;
    if (a->unbounded) {
        keep(v, a);
        return true;
    }
    int64_t balance, lifetime;
    if (__builtin_add_overflow(a->balance, leg->amount, &balance) ||
        __builtin_add_overflow(a->lifetime, sign * leg->amount, &lifetime)) {
        v->outcome = POSTING_OVERFLOW;
        return false;
    }
    if (sign && !v->lifetime_before) v->lifetime_before = a->lifetime;
    keep(v, a);
    a->balance = balance;
    a->version++;
    a->lifetime = lifetime;
    posted->credit_after = balance;
    posted->credit_version = a->version;
    if (sign) posted->lifetime_after = lifetime;
    return true;
}

void rules_undo(struct rules_verdict *v)
{
    /* Newest first, since two legs may have changed the same account. */
    while (v->changed > 0) {
        struct rules_change *c = &v->before[--v->changed];
        c->account->balance = c->balance;
        c->account->version = c->version;
        c->account->lifetime = c->lifetime;
    }
}

void rules_decide(const struct rules_accounts *accounts, const int64_t *committed_hash, struct posting *p,
                  struct rules_verdict *v)
{
    struct side sides[POSTING_LEGS_MAX];
    must(p->leg_count > 0 && p->leg_count <= POSTING_LEGS_MAX);
    v->changed = 0;
    v->lifetime_before = 0;
    v->outcome = committed_hash ? rules_replay(*committed_hash, p) : admit(accounts, p, sides);
    if (v->outcome != POSTING_DONE) return;
    for (int i = 0; i < p->leg_count; i++) {
        const struct leg *leg = &p->legs[i];
        struct posted *posted = &p->posted[i];
        must(leg->amount > 0);
        posted->debit = leg->debit;
        posted->credit = leg->credit;
        posted->amount = leg->amount;
        posted->lifetime_after = INT64_MIN;
        if (!move_debit(v, sides[i].debit, leg, posted) || !move_credit(v, sides[i].credit, leg, posted)) {
            rules_undo(v);
            return;
        }
    }
}
