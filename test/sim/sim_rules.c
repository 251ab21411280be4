/* The rules, the forecasts and the netting of batches against a naive model, without a database: more
 * than a million random postings in batches of 1 to 512, several in flight, while somebody else moves
 * the same accounts behind our back.
 *
 * The model is written another way on purpose: it copies the whole world, applies one leg after the
 * other with 128-bit arithmetic and throws the copy away when anything is wrong. SEED and POSTINGS in
 * the environment choose another run; the seed is printed. */
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"
#include "domain/ledger/batch.h"
#include "domain/ledger/rules.h"

enum { ACCOUNTS = 40, IN_FLIGHT = 3, KEYS = 4096, USERS = 5 };

struct naive {
    int64_t balance, version, lifetime;
};

static struct {
    struct rules_account table[ACCOUNTS + 1];   /* what is committed, by id */
    struct book book;
    struct forecasts forecasts;
    struct batch *batches[IN_FLIGHT];
    int in_flight;
    uint64_t random, serial, told[OUTCOME_COUNT], batches_failed, batches_done, sizes[513];
    int64_t committed_hash[KEYS];               /* by key; -1: never committed */
    int under_way[KEYS];                        /* batches that use the key */
    struct account *accounts[ACCOUNTS + 1];
    struct posting *spare;
} w;

/* The library's own asserts tell its parent each time: too slow for what is asked a hundred million times. */
#define EXPECT(condition) ((condition) ? (void) 0 : ck_abort_msg("%s", #condition))

static uint64_t roll(uint64_t n)
{
    w.random ^= w.random << 13;
    w.random ^= w.random >> 7;
    w.random ^= w.random << 17;
    return w.random % n;
}

/* The model ------------------------------------------------------------------------------------ */

static bool exists(int64_t id) { return id >= 1 && id <= ACCOUNTS; }

static bool earns(struct str kind) { return str_eq(kind, STR("points.earn")) || str_eq(kind, STR("rewards.earn")); }

static enum outcome naive_reason(const struct posting *p, const int64_t *hash)
{
    if (hash) return *hash == p->request_hash ? POSTING_REPLAYED : POSTING_KEY_CONFLICT;
    for (int i = 0; i < p->leg_count; i++)
        if (p->legs[i].debit != -1 && p->legs[i].debit == p->legs[i].credit) return POSTING_SAME_ACCOUNT;
    for (int i = 0; i < p->leg_count; i++)
        if (!exists(p->legs[i].debit) || !exists(p->legs[i].credit)) return POSTING_NO_ACCOUNT;
    if (p->owner != 0 && w.table[p->legs[0].debit].owner != p->owner) return POSTING_NOT_OWNER;
    for (int i = 0; i < 2 * p->leg_count; i++) {
        int64_t id = i % 2 ? p->legs[i / 2].credit : p->legs[i / 2].debit;
        if (w.table[id].status != ACCOUNT_ACTIVE) return POSTING_NOT_ACTIVE;
    }
    for (int i = 0; i < p->leg_count; i++)
        if (w.table[p->legs[i].debit].asset != w.table[p->legs[i].credit].asset) return POSTING_ASSET_MISMATCH;
    return POSTING_DONE;
}

/* Applies p to the world given; what it writes counts only when it says DONE. */
static enum outcome naive_apply(struct naive world[ACCOUNTS + 1], const struct posting *p, const int64_t *hash)
{
    enum outcome reason = naive_reason(p, hash);
    if (reason != POSTING_DONE) return reason;
    for (int i = 0; i < p->leg_count; i++) {
        const struct leg *leg = &p->legs[i];
        struct naive *d = &world[leg->debit], *c = &world[leg->credit];
        if (!w.table[leg->debit].unbounded) {
            if ((__int128) d->balance - leg->amount < 0) return POSTING_INSUFFICIENT;
            bool back = str_eq(leg->kind, STR("points.purchase_return"));
            if (back && (__int128) d->lifetime - leg->amount < INT64_MIN) return POSTING_OVERFLOW;
            d->balance -= leg->amount;
            d->version++;
            if (back) d->lifetime -= leg->amount;
        }
        if (!w.table[leg->credit].unbounded) {
            if ((__int128) c->balance + leg->amount > INT64_MAX) return POSTING_OVERFLOW;
            if (earns(leg->kind) && (__int128) c->lifetime + leg->amount > INT64_MAX) return POSTING_OVERFLOW;
            c->balance += leg->amount;
            c->version++;
            if (earns(leg->kind)) c->lifetime += leg->amount;
        }
    }
    return POSTING_DONE;
}

/* The world ------------------------------------------------------------------------------------ */

static void make_world(void)
{
    book_init(&w.book);
    for (int id = 1; id <= ACCOUNTS; id++) {
        w.table[id] = (struct rules_account){
            .id = id, .owner = 1 + id % USERS, .balance = id % 10 == 9 ? INT64_MAX - 500 : (int64_t) roll(2000),
            .version = (int64_t) roll(5), .lifetime = (int64_t) roll(100), .asset = id > 30 ? ASSET_PTS : ASSET_MONEY,
            .status = id % 13 == 12 ? ACCOUNT_FROZEN : ACCOUNT_ACTIVE, .unbounded = id == 1 || id == 31,
        };
        const struct rules_account *t = &w.table[id];
        struct account a = { .id = id,
                             .owner = t->owner,
                             .balance = t->balance,
                             .version = t->version,
                             .lifetime = t->lifetime,
                             .asset = t->asset,
                             .status = t->status,
                             .unbounded = t->unbounded };
        w.accounts[id] = book_put_account(&w.book, &a, STR_NONE);
    }
    for (int i = 0; i < KEYS; i++) w.committed_hash[i] = -1;
}

static struct rules_account *predicted(void *arg, int64_t id)
{
    (void) arg;
    struct account *a = book_account(&w.book, id);
    return a ? &forecast_of(&w.forecasts, a)->state : NULL;
}

static void snapshot(struct naive world[ACCOUNTS + 1])
{
    for (int id = 1; id <= ACCOUNTS; id++) {
        const struct account *a = w.accounts[id];
        if (a->forecast) world[id] = (struct naive){ a->forecast->state.balance, a->forecast->state.version,
                                                     a->forecast->state.lifetime };
        else world[id] = (struct naive){ a->balance, a->version, a->lifetime };
    }
}

/* Four in five transfers go over a few hot accounts. */
static int64_t some_account(void)
{
    uint64_t kind = roll(100);
    if (kind < 2) return kind ? -1 : ACCOUNTS + 7;
    if (kind < 60) return 2 + (int64_t) roll(4);
    if (kind < 70) return 31 + (int64_t) roll(4);
    return 1 + (int64_t) roll(ACCOUNTS);
}

static int64_t some_amount(void)
{
    if (roll(100) == 0) return INT64_MAX - (int64_t) roll(1000);
    return 1 + (int64_t) roll(roll(4) ? 50 : 1000);
}

static struct posting *some_posting(void)
{
    static const struct str kinds[] = { { "bank.transfer", 13 }, { "points.earn", 11 },
                                        { "points.purchase_return", 22 },
                                        { "points.redeem", 13 }, { "rewards.earn", 12 } };
    struct posting *p = w.spare;
    if (p) w.spare = p->arg;
    else p = mem_new(struct posting);
    memset(p, 0, sizeof *p);
    p->leg_count = roll(3) ? 1 : 1 + (int) roll(POSTING_LEGS_MAX);
    for (int i = 0; i < p->leg_count; i++) {
        int64_t debit = some_account(), credit = some_account();
        if (debit == credit && roll(8)) credit = 1 + (int64_t) roll(ACCOUNTS);
        p->legs[i] = (struct leg){ debit, credit, some_amount(), kinds[roll(5)] };
    }
    if (roll(3) == 0) p->owner = 1 + (int64_t) roll(USERS);
    p->key = (struct str){ "k", 1 };
    p->actor = (int64_t) roll(KEYS);     /* stands for the key */
    p->request_hash = (int64_t) roll(3);
    return p;
}

static void free_posting(struct posting *p)
{
    p->arg = w.spare;
    w.spare = p;
}

static void somebody_else_moves(void)
{
    struct rules_account *t = &w.table[1 + roll(ACCOUNTS)];
    if (t->unbounded) return;
    int64_t amount = (int64_t) roll(40);
    if (t->balance < amount || !amount) return;
    t->balance -= amount;
    t->version++;
    /* Sometimes the stream has told us already, sometimes not yet. */
    if (roll(2)) book_move(&w.book, t->id, t->balance, t->version, t->lifetime, 0);
}

static bool as_expected(const struct batch *b)
{
    for (int i = 0; i < b->touch_count; i++) {
        const struct touch *t = &b->touches[i];
        const struct rules_account *now = &w.table[t->id];
        if (now->balance != t->balance || now->version != t->version || now->lifetime != t->lifetime) return false;
    }
    return true;
}

/* What PostgreSQL does with the oldest batch: all of it as predicted, or nothing. The model decides the
 * postings once more, one by one, on what is really committed. */
static void end_oldest(void)
{
    struct batch *b = w.batches[0];
    bool good = as_expected(b);
    if (good) {
        struct naive world[ACCOUNTS + 1];
        for (int id = 1; id <= ACCOUNTS; id++)
            world[id] = (struct naive){ w.table[id].balance, w.table[id].version, w.table[id].lifetime };
        for (int i = 0; i < b->admitted_count; i++) {
            const struct posting *p = b->admitted[i];
            EXPECT(naive_apply(world, p, NULL) == POSTING_DONE);
            const struct leg *last = &p->legs[p->leg_count - 1];
            if (!w.table[last->credit].unbounded) {
                EXPECT(p->posted[p->leg_count - 1].credit_after == world[last->credit].balance);
                EXPECT(p->posted[p->leg_count - 1].credit_version == world[last->credit].version);
            }
            if (p->key.p) w.committed_hash[p->actor] = p->request_hash;
        }
        for (int i = 0; i < b->touch_count; i++) {
            struct touch *t = &b->touches[i];
            struct rules_account *now = &w.table[t->id];
            now->balance = t->balance_after;
            now->version = t->version_after;
            now->lifetime = t->lifetime_after;
            book_move(&w.book, t->id, now->balance, now->version, now->lifetime, 0);
        }
        for (int id = 1; id <= ACCOUNTS; id++) {
            if (w.table[id].unbounded) continue;
            EXPECT(w.table[id].balance == world[id].balance);
            EXPECT(w.table[id].version == world[id].version);
            EXPECT(w.table[id].lifetime == world[id].lifetime);
        }
        w.batches_done++;
    } else {
        w.batches_failed++;
    }
    for (int i = 0; i < b->admitted_count; i++) {
        if (b->admitted[i]->key.p) w.under_way[b->admitted[i]->actor]--;
        free_posting(b->admitted[i]);
    }
    for (int i = 0; i < b->touch_count; i++) forecast_release(&w.forecasts, b->touches[i].forecast);
    b->touch_count = 0;
    batch_clear(b);
    memmove(&w.batches[0], &w.batches[1], sizeof w.batches[0] * (IN_FLIGHT - 1));
    w.batches[IN_FLIGHT - 1] = b;
    w.in_flight--;
    /* As the batcher does: nothing is predicted on what came to nothing. */
    if (!good) {
        while (w.in_flight) end_oldest();
        for (int id = 1; id <= ACCOUNTS; id++) {
            const struct rules_account *t = &w.table[id];
            EXPECT(!w.accounts[id]->forecast);
            book_move(&w.book, id, t->balance, t->version, t->lifetime, 0);
        }
    }
}

static void predict_one(struct batch *b)
{
    const struct rules_accounts accounts = { predicted, NULL };
    struct posting *p = some_posting();
    struct rules_verdict v;
    struct naive before[ACCOUNTS + 1], after[ACCOUNTS + 1], now[ACCOUNTS + 1];
    const int64_t *hash = w.committed_hash[p->actor] >= 0 ? &w.committed_hash[p->actor] : NULL;
    /* A key that is under way is kept out by keys.c; here such a posting simply has none. */
    if (!hash && w.under_way[p->actor]) p->key = STR_NONE;
    if (roll(3)) p->key = STR_NONE, hash = NULL;
    snapshot(before);
    memcpy(after, before, sizeof after);
    enum outcome expected = naive_apply(after, p, hash);
    rules_decide(&accounts, hash, p, &v);
    if (v.outcome != expected)
        ck_abort_msg("%s, the model says %s", outcome_info(v.outcome)->name, outcome_info(expected)->name);
    snapshot(now);
    for (int id = 1; id <= ACCOUNTS; id++) {
        if (!w.table[id].unbounded)
            EXPECT(memcmp(&now[id], expected == POSTING_DONE ? &after[id] : &before[id], sizeof now[id]) == 0);
    }
    w.told[v.outcome]++;
    if (v.outcome != POSTING_DONE) {
        free_posting(p);
        return;
    }
    if (p->key.p) w.under_way[p->actor]++;
    batch_admit(b, p, &v);
}

static void send_batch(void)
{
    struct batch *b = w.batches[w.in_flight];
    int size = roll(3) ? 1 + (int) roll(16) : 1 + (int) roll(512);
    b->serial = ++w.serial;
    for (int i = 0; i < size; i++) {
        if (b->leg_count + POSTING_LEGS_MAX > BATCH_LEGS_MAX) break;
        predict_one(b);
    }
    forecasts_settle(&w.forecasts);
    for (int i = 0; i < b->touch_count; i++) {
        struct touch *t = &b->touches[i];
        t->balance_after = t->forecast->state.balance;
        t->version_after = t->forecast->state.version;
        t->lifetime_after = t->forecast->state.lifetime;
    }
    w.sizes[b->admitted_count]++;
    w.in_flight++;
}

START_TEST(the_rules_agree_with_the_model)
{
    const char *seed = getenv("SEED"), *postings = getenv("POSTINGS");
    w.random = seed ? strtoull(seed, NULL, 10) : (uint64_t) time(NULL);
    uint64_t wanted = postings ? strtoull(postings, NULL, 10) : 2000000, decided = 0;
    printf("SEED=%" PRIu64 " POSTINGS=%" PRIu64 "\n", w.random, wanted);
    fflush(stdout);
    make_world();
    for (int i = 0; i < IN_FLIGHT; i++) w.batches[i] = batch_new(NULL);
    while (decided < wanted) {
        if (roll(12) == 0) somebody_else_moves();
        if (w.in_flight < IN_FLIGHT && (w.in_flight == 0 || roll(2))) send_batch();
        else end_oldest();
        decided = 0;
        for (int o = 0; o < OUTCOME_COUNT; o++) decided += w.told[o];
        /* Keys are forgotten now and then, so that new ones do not run out. */
        if (roll(50) == 0) w.committed_hash[roll(KEYS)] = -1;
        if (roll(400) == 0) for (int i = 0; i < KEYS; i++) w.committed_hash[i] = -1;
    }
    while (w.in_flight) end_oldest();
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        printf("  %-14s %" PRIu64 "\n", outcome_info((enum outcome) o)->name, w.told[o]);
        fflush(stdout);
        if (o != POSTING_GUARDED && o != POSTING_REFUSED) ck_assert_uint_gt(w.told[o], wanted / 20000);
    }
    printf("  batches %" PRIu64 ", failed %" PRIu64 "\n", w.batches_done, w.batches_failed);
    ck_assert_uint_gt(w.batches_done, 100);
    ck_assert_uint_gt(w.batches_failed, 10);
    for (int i = 0; i < IN_FLIGHT; i++) batch_free(w.batches[i]);
    while (w.spare) {
        struct posting *p = w.spare;
        w.spare = p->arg;
        mem_free(p);
    }
    forecasts_fini(&w.forecasts);
    book_fini(&w.book);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sim_rules");
    TCase *c = tcase_create("rules");
    tcase_set_timeout(c, 600);
    tcase_add_test(c, the_rules_agree_with_the_model);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
