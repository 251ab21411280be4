/* What the ledger decides, as a table that reads like a specification: the accounts before, the legs,
 * the outcome, the accounts after. One row at least for every outcome, and one for every pair of
 * reasons that could both be told: the earlier of enum outcome wins. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/ledger/rules.h"

enum { ANN = 7, BOB = 8, MAX_LEGS = 3, ACCOUNTS = 9, NOBODY = 99 };

/* The accounts of every case, by id. `T` is unbounded. */
enum { A = 1, B = 2, FROZEN = 3, CLOSED = 4, PTS = 5, T = 6, FULL = 7, P_ISSUER = 8 };

#define LEG(d, c, n) { d, c, n, { "bank.transfer", 13 } }
#define POINTS(d, c, n, what) { d, c, n, { "points." what, sizeof what + 6 } }

static const struct rule {
    const char *name;
    enum outcome outcome;
    int64_t balances[3], versions[3];     /* of A, B and PTS afterwards */
    int64_t lifetime;                     /* of PTS afterwards */
    int64_t owner;                        /* 0: anybody */
    int seen;                             /* the key: 0 new, 1 with this request, 2 with another */
    struct leg legs[MAX_LEGS];
} rules[] = {
    /* One leg. A holds 100, B 50, PTS 30 with a lifetime of 40, FULL all but 10 that 64 bits can hold. */
    { "all of a balance", POSTING_DONE, { 0, 150, 30 }, { 5, 3, 9 }, 40, .legs = { LEG(A, B, 100) } },
    { "one unit more", POSTING_INSUFFICIENT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, B, 101) } },
    { "the owner's own", POSTING_DONE, { 99, 51, 30 }, { 5, 3, 9 }, 40, .owner = ANN, .legs = { LEG(A, B, 1) } },
    { "only the debit side has to be the owner's", POSTING_NOT_OWNER, { 100, 50, 30 }, { 4, 2, 9 }, 40, .owner = ANN,
      .legs = { LEG(B, A, 1) } },
    { "from an unbounded account without a limit", POSTING_DONE, { 100100, 50, 30 }, { 5, 2, 9 }, 40,
      .legs = { LEG(T, A, 100000) } },
    { "to an unbounded account", POSTING_DONE, { 40, 50, 30 }, { 5, 2, 9 }, 40, .legs = { LEG(A, T, 60) } },
    { "up to what 64 bits hold", POSTING_DONE, { 90, 50, 30 }, { 5, 2, 9 }, 40, .legs = { LEG(A, FULL, 10) } },
    { "beyond what 64 bits hold", POSTING_OVERFLOW, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, FULL, 11) } },
    { "frozen receiver", POSTING_NOT_ACTIVE, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, FROZEN, 1) } },
    { "frozen sender", POSTING_NOT_ACTIVE, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(FROZEN, A, 1) } },
    { "closed receiver", POSTING_NOT_ACTIVE, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, CLOSED, 1) } },
    { "money into points", POSTING_ASSET_MISMATCH, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, PTS, 1) } },
    { "unknown sender", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(NOBODY, A, 1) } },
    { "unknown receiver", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, -1, 1) } },
    { "both unknown", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(-1, -1, 1) } },
    { "to itself", POSTING_SAME_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, A, 1) } },

    /* Points: earning raises the lifetime, redeeming leaves it, taking a purchase back lowers it. */
    { "earned", POSTING_DONE, { 100, 50, 35 }, { 4, 2, 10 }, 45, .legs = { POINTS(P_ISSUER, PTS, 5, "earn") } },
    { "granted", POSTING_DONE, { 100, 50, 35 }, { 4, 2, 10 }, 45,
      .legs = { POINTS(P_ISSUER, PTS, 5, "admin_grant") } },
    { "redeemed", POSTING_DONE, { 100, 50, 25 }, { 4, 2, 10 }, 40, .legs = { POINTS(PTS, P_ISSUER, 5, "redeem") } },
    { "taken back", POSTING_DONE, { 100, 50, 25 }, { 4, 2, 10 }, 35,
      .legs = { POINTS(PTS, P_ISSUER, 5, "purchase_return") } },
    { "redeemed more than there is", POSTING_INSUFFICIENT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { POINTS(PTS, P_ISSUER, 31, "redeem") } },

    /* Several legs: all or nothing, a later one sees what the earlier ones did. */
    { "the second leg spends what the first brought", POSTING_DONE, { 0, 200, 30 }, { 6, 3, 9 }, 40,
      .legs = { LEG(T, A, 50), LEG(A, B, 150) } },
    { "but not the other way round", POSTING_INSUFFICIENT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, B, 150), LEG(T, A, 50) } },
    { "a second leg that fails takes the first back", POSTING_INSUFFICIENT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, B, 60), LEG(A, B, 60) } },
    { "there and back", POSTING_DONE, { 100, 50, 30 }, { 6, 4, 9 }, 40, .legs = { LEG(A, B, 100), LEG(B, A, 100) } },
    { "a third leg that fails takes both back", POSTING_OVERFLOW, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, B, 100), LEG(B, A, 100), LEG(A, FULL, 11) } },
    { "only the first leg's sender has to be the owner's", POSTING_DONE, { 99, 50, 30 }, { 5, 4, 9 }, 40, .owner = ANN,
      .legs = { LEG(A, B, 1), LEG(B, T, 1) } },
    { "money and points in one", POSTING_DONE, { 90, 60, 31 }, { 5, 3, 10 }, 41,
      .legs = { LEG(A, B, 10), POINTS(P_ISSUER, PTS, 1, "purchase") } },

    /* The key comes before everything. */
    { "repeated", POSTING_REPLAYED, { 100, 50, 30 }, { 4, 2, 9 }, 40, .seen = 1, .legs = { LEG(A, B, 1) } },
    { "repeated, though it could not be done now", POSTING_REPLAYED, { 100, 50, 30 }, { 4, 2, 9 }, 40, .seen = 1,
      .legs = { LEG(A, A, 1000) } },
    { "key of another request", POSTING_KEY_CONFLICT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .seen = 2,
      .legs = { LEG(A, B, 1) } },
    { "key conflict before same account", POSTING_KEY_CONFLICT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .seen = 2,
      .legs = { LEG(A, A, 1) } },

    /* Precedence: a posting with two faults tells the earlier. */
    { "same before unknown", POSTING_SAME_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(NOBODY, NOBODY, 1) } },
    { "same before owner", POSTING_SAME_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .owner = ANN, .legs = { LEG(B, B, 1) } },
    { "same before status", POSTING_SAME_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(FROZEN, FROZEN, 1) } },
    { "same before balance", POSTING_SAME_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(A, A, 999) } },
    { "same in the second leg before unknown in the first", POSTING_SAME_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(NOBODY, B, 1), LEG(A, A, 1) } },
    { "unknown before owner", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40, .owner = ANN,
      .legs = { LEG(B, NOBODY, 1) } },
    { "unknown before status", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(FROZEN, NOBODY, 1) } },
    { "unknown before balance", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, NOBODY, 999) } },
    { "unknown in the second leg before status in the first", POSTING_NO_ACCOUNT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(FROZEN, B, 1), LEG(A, NOBODY, 1) } },
    { "owner before status", POSTING_NOT_OWNER, { 100, 50, 30 }, { 4, 2, 9 }, 40, .owner = ANN,
      .legs = { LEG(B, FROZEN, 1) } },
    { "owner before asset", POSTING_NOT_OWNER, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .owner = ANN, .legs = { LEG(B, PTS, 1) } },
    { "owner before balance", POSTING_NOT_OWNER, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .owner = ANN, .legs = { LEG(B, A, 999) } },
    { "status before asset", POSTING_NOT_ACTIVE, { 100, 50, 30 }, { 4, 2, 9 }, 40, .legs = { LEG(PTS, FROZEN, 1) } },
    { "status before balance", POSTING_NOT_ACTIVE, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, FROZEN, 999) } },
    { "status in the second leg before asset in the first", POSTING_NOT_ACTIVE, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, PTS, 1), LEG(A, FROZEN, 1) } },
    { "asset before balance", POSTING_ASSET_MISMATCH, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, PTS, 999) } },
    { "asset in the second leg before balance in the first", POSTING_ASSET_MISMATCH, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, B, 999), LEG(A, PTS, 1) } },
    { "balance before overflow", POSTING_INSUFFICIENT, { 100, 50, 30 }, { 4, 2, 9 }, 40,
      .legs = { LEG(A, FULL, 1000) } },
};
enum { RULES = sizeof rules / sizeof *rules };

static struct rules_account accounts[ACCOUNTS];

static void setup(void)
{
    static const struct rules_account start[ACCOUNTS] = {
        [A] = { A, ANN, 100, 4, 0, ASSET_MONEY, ACCOUNT_ACTIVE, false },
        [B] = { B, BOB, 50, 2, 0, ASSET_MONEY, ACCOUNT_ACTIVE, false },
        [FROZEN] = { FROZEN, BOB, 50, 2, 0, ASSET_MONEY, ACCOUNT_FROZEN, false },
        [CLOSED] = { CLOSED, BOB, 0, 2, 0, ASSET_MONEY, ACCOUNT_CLOSED, false },
        [PTS] = { PTS, ANN, 30, 9, 40, ASSET_PTS, ACCOUNT_ACTIVE, false },
        [T] = { T, 0, 0, 0, 0, ASSET_MONEY, ACCOUNT_ACTIVE, true },
        [FULL] = { FULL, BOB, INT64_MAX - 10, 1, 0, ASSET_MONEY, ACCOUNT_ACTIVE, false },
        [P_ISSUER] = { P_ISSUER, 0, 0, 0, 0, ASSET_PTS, ACCOUNT_ACTIVE, true },
    };
    memcpy(accounts, start, sizeof accounts);
}

static struct rules_account *find(void *arg, int64_t id)
{
    (void) arg;
    return id > 0 && id < ACCOUNTS ? &accounts[id] : NULL;
}

static const struct rules_accounts lookup = { find, NULL };

static struct posting posting_of(const struct rule *r)
{
    struct posting p = { .owner = r->owner, .request_hash = 1234 };
    while (p.leg_count < MAX_LEGS && r->legs[p.leg_count].amount) {
        p.legs[p.leg_count] = r->legs[p.leg_count];
        p.leg_count++;
    }
    return p;
}

START_TEST(rule)
{
    const struct rule *r = &rules[_i];
    struct posting p = posting_of(r);
    struct rules_verdict v;
    int64_t committed = r->seen == 1 ? p.request_hash : 4321;
    rules_decide(&lookup, r->seen ? &committed : NULL, &p, &v);
    ck_assert_msg(v.outcome == r->outcome, "%s: %s", r->name, outcome_info(v.outcome)->name);
    static const int shown[] = { A, B, PTS };
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(accounts[shown[i]].balance == r->balances[i], "%s: balance %d", r->name, shown[i]);
        ck_assert_msg(accounts[shown[i]].version == r->versions[i], "%s: version %d", r->name, shown[i]);
    }
    ck_assert_msg(accounts[PTS].lifetime == r->lifetime, "%s: lifetime", r->name);
}
END_TEST

START_TEST(undone_it_never_was)
{
    struct rules_account before[ACCOUNTS];
    struct posting p = posting_of(&rules[_i]);
    struct rules_verdict v;
    memcpy(before, accounts, sizeof before);
    rules_decide(&lookup, NULL, &p, &v);
    rules_undo(&v);
    ck_assert_mem_eq(before, accounts, sizeof before);
}
END_TEST

START_TEST(posted_tells_both_sides_after_each_leg)
{
    struct posting p = { .leg_count = 3, .legs = { LEG(T, A, 50), LEG(A, B, 150),
                                                   POINTS(P_ISSUER, PTS, 5, "earn") } };
    struct rules_verdict v;
    rules_decide(&lookup, NULL, &p, &v);
    ck_assert_int_eq(v.outcome, POSTING_DONE);
    ck_assert_int_eq(v.lifetime_before, 40);
    ck_assert_int_eq(p.posted[0].debit_after, INT64_MIN);
    ck_assert_int_eq(p.posted[0].debit_version, INT64_MIN);
    ck_assert_int_eq(p.posted[0].credit_after, 150);
    ck_assert_int_eq(p.posted[0].credit_version, 5);
    ck_assert_int_eq(p.posted[0].lifetime_after, INT64_MIN);
    ck_assert_int_eq(p.posted[1].debit_after, 0);
    ck_assert_int_eq(p.posted[1].debit_version, 6);
    ck_assert_int_eq(p.posted[1].credit_after, 200);
    ck_assert_int_eq(p.posted[1].credit_version, 3);
    ck_assert_int_eq(p.posted[2].lifetime_after, 45);
}
END_TEST

START_TEST(spending_tells_the_points_ever_earned)
{
    struct posting p = { .leg_count = 1, .legs = { POINTS(PTS, P_ISSUER, 5, "redeem") } };
    struct rules_verdict v;
    rules_decide(&lookup, NULL, &p, &v);
    ck_assert_int_eq(v.outcome, POSTING_DONE);
    ck_assert_int_eq(v.lifetime_before, 40);
    ck_assert_int_eq(p.posted[0].lifetime_after, 40);
}
END_TEST

START_TEST(every_outcome_of_the_rules_stands_in_the_table)
{
    bool told[OUTCOME_COUNT] = { false };
    for (int i = 0; i < RULES; i++) told[rules[i].outcome] = true;
    for (int o = 0; o < OUTCOME_COUNT; o++) {
        /* These two are decided by statements, not by rules. */
        if (o != POSTING_GUARDED && o != POSTING_REFUSED) ck_assert_msg(told[o], "%s", outcome_info(o)->name);
    }
}
END_TEST

START_TEST(names_are_read_as_they_are_written)
{
    for (int i = 0; i < ASSET_COUNT; i++) {
        enum asset a;
        ck_assert(asset_parse(asset_name(i), &a) && a == (enum asset) i);
    }
    for (int i = 0; i < ACCOUNT_KIND_COUNT; i++) {
        enum account_kind k;
        ck_assert(account_kind_parse(account_kind_name(i), &k) && k == (enum account_kind) i);
    }
    for (int i = 0; i < ACCOUNT_STATUS_COUNT; i++) {
        enum account_status s;
        ck_assert(account_status_parse(account_status_name(i), &s) && s == (enum account_status) i);
    }
    enum asset a = ASSET_RWD;
    ck_assert(!asset_parse(STR("money"), &a) && a == ASSET_RWD);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rules");
    TCase *c = tcase_create("rules");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_loop_test(c, rule, 0, RULES);
    tcase_add_loop_test(c, undone_it_never_was, 0, RULES);
    tcase_add_test(c, posted_tells_both_sides_after_each_leg);
    tcase_add_test(c, spending_tells_the_points_ever_earned);
    tcase_add_test(c, every_outcome_of_the_rules_stands_in_the_table);
    tcase_add_test(c, names_are_read_as_they_are_written);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
