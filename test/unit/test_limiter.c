/* The rate limiter: bursts, refill, waiting times, independence of keys, the bounded table. */
#include "core/limiter.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/digest.h"

static int retry_after;

/* How many of n takes at this time are granted. */
static int granted(struct limiter *l, struct str key, uint64_t now_ms, int n)
{
    int count = 0;
    while (n-- > 0) count += limiter_take(l, key, now_ms, &retry_after);
    return count;
}

START_TEST(allows_a_burst_and_then_the_rate)
{
    static const struct {
        int per_minute, burst;
        uint64_t after_ms;   /* since the burst was used up */
        int allowed, retry_after;
    } cases[] = {
        { 60, 5, 0, 0, 1 }, { 60, 5, 999, 0, 1 }, { 60, 5, 1000, 1, 1 }, { 60, 5, 2500, 2, 1 },
        { 60, 5, 5000, 5, 1 }, { 60, 5, 3600000, 5, 1 }, { 60, 1, 0, 0, 1 }, { 60, 1, 1000, 1, 1 },
        { 1, 1, 0, 0, 60 }, { 1, 1, 1, 0, 60 }, { 1, 1, 30000, 0, 30 }, { 1, 1, 59999, 0, 1 }, { 1, 1, 60000, 1, 60 },
        { 6000, 100, 0, 0, 1 }, { 6000, 100, 10, 1, 1 }, { 6000, 100, 500, 50, 1 }, { 20, 20, 3000, 1, 3 },
        { 100000, 1, 1, 1, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct limiter *l = limiter_new(cases[i].per_minute, cases[i].burst, 100);
        ck_assert_int_eq(granted(l, STR("k"), 1000000, cases[i].burst + 3), cases[i].burst);
        int n = granted(l, STR("k"), 1000000 + cases[i].after_ms, cases[i].burst + 3);
        ck_assert_msg(n == cases[i].allowed && retry_after == cases[i].retry_after, "case %zu: %d, again after %d s", i,
                      n, retry_after);
        limiter_free(l);
    }
}
END_TEST

/* Who comes back when told to is let in, and who keeps knocking meanwhile does not wait longer. */
START_TEST(keeps_its_word)
{
    struct limiter *l = limiter_new(7, 3, 100);
    uint64_t now = 5;
    granted(l, STR("k"), now, 3);
    for (int round = 0; round < 50; round++) {
        ck_assert(!limiter_take(l, STR("k"), now, &retry_after));
        ck_assert_int_ge(retry_after, 1);
        granted(l, STR("k"), now, 100);
        now += (uint64_t) retry_after * 1000;
        ck_assert(limiter_take(l, STR("k"), now, &retry_after));
        while (limiter_take(l, STR("k"), now, &retry_after)) {}
    }
    limiter_free(l);
}
END_TEST

/* Over an hour no more passes than the burst and the rate allow, however the takes are spread. */
START_TEST(never_grants_more_than_the_rate)
{
    struct limiter *l = limiter_new(90, 10, 100);
    int count = 0;
    for (uint64_t now = 0; now < 3600000; now += 1 + now % 97) count += limiter_take(l, STR("k"), now, &retry_after);
    ck_assert_int_le(count, 10 + 90 * 60);
    ck_assert_int_ge(count, 90 * 60 - 10);
    limiter_free(l);
}
END_TEST

START_TEST(keeps_keys_apart)
{
    struct limiter *l = limiter_new(1, 2, 100000);
    char key[32];
    for (int i = 0; i < 10000; i++) {
        struct str k = { key, (size_t) snprintf(key, sizeof key, "10.0.%d.%d", i / 256, i % 256) };
        ck_assert_int_eq(granted(l, k, 1000, 5), 2);
    }
    ck_assert_int_eq(granted(l, STR_NONE, 1000, 5), 2);
    limiter_free(l);
}
END_TEST

/* A flood of other keys through a small table neither breaks it nor frees a key that is at its
 * limit, as long as others in its neighbourhood are further from theirs. */
START_TEST(forgets_the_stalest_when_full)
{
    struct limiter *l = limiter_new(6, 100, 8);
    char key[32];
    ck_assert_int_eq(granted(l, STR("greedy"), 1000, 200), 100);
    for (int i = 0; i < 10000; i++) {
        struct str k = { key, (size_t) snprintf(key, sizeof key, "%d", i) };
        ck_assert(limiter_take(l, k, 1000, &retry_after));
    }
    ck_assert(!limiter_take(l, STR("greedy"), 1000, &retry_after));
    ck_assert(!limiter_take(l, STR("greedy"), 10999, &retry_after));
    ck_assert(limiter_take(l, STR("greedy"), 11000, &retry_after));
    limiter_free(l);
}
END_TEST

int main(void)
{
    digest_init();
    TCase *tc = tcase_create("limiter");
    tcase_add_test(tc, allows_a_burst_and_then_the_rate);
    tcase_add_test(tc, keeps_its_word);
    tcase_add_test(tc, never_grants_more_than_the_rate);
    tcase_add_test(tc, keeps_keys_apart);
    tcase_add_test(tc, forgets_the_stalest_when_full);
    Suite *suite = suite_create("limiter");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
