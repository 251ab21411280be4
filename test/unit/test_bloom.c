/* Bloom filters: no key is ever missed, false answers are as rare as promised, and one that was kept is the same. */
#include <check.h>
#include <stdlib.h>

#include "core/bloom.h"
#include "core/buf.h"
#include "core/digest.h"

enum { KEYS = 100000 };

static uint64_t hash_of(uint64_t n)
{
    uint8_t out[SHA256_BYTES];
    uint64_t hash;
    sha256((struct str){ (const char *) &n, sizeof n }, out);
    memcpy(&hash, out, sizeof hash);
    return hash;
}

static void fill(struct bloom *b, int64_t expected, uint64_t keys)
{
    bloom_init(b, expected);
    for (uint64_t i = 0; i < keys; i++) bloom_add(b, hash_of(i));
}

static int wrong_of(const struct bloom *b)
{
    int wrong = 0;
    for (uint64_t i = 0; i < KEYS; i++) wrong += bloom_perhaps(b, hash_of(1000000000 + i));
    return wrong;
}

START_TEST(no_key_is_missed_and_few_are_taken_for_one)
{
    struct bloom b;
    fill(&b, KEYS, KEYS);
    for (uint64_t i = 0; i < KEYS; i++) ck_assert(bloom_perhaps(&b, hash_of(i)));
    int wrong = wrong_of(&b);
    ck_assert_msg(wrong > 0 && wrong < KEYS / 400, "%d of %d", wrong, KEYS);
    bloom_fini(&b);
}
END_TEST

START_TEST(an_empty_one_knows_nothing)
{
    struct bloom b;
    fill(&b, 0, 0);
    ck_assert_int_eq(wrong_of(&b), 0);
    bloom_fini(&b);
    bloom_fini(&b);
}
END_TEST

START_TEST(one_with_ten_times_the_keys_misses_none)
{
    struct bloom b;
    fill(&b, KEYS / 10, KEYS);
    for (uint64_t i = 0; i < KEYS; i++) ck_assert(bloom_perhaps(&b, hash_of(i)));
    bloom_fini(&b);
}
END_TEST

START_TEST(one_that_was_kept_is_the_same)
{
    struct bloom b, again;
    struct buf hex;
    buf_init(&hex, 1 << 20);
    fill(&b, KEYS, KEYS);
    buf_hex(&hex, (const uint8_t *) bloom_bytes(&b).p, bloom_bytes(&b).n);
    ck_assert(bloom_read(&again, buf_view(&hex)));
    ck_assert(str_eq(bloom_bytes(&b), bloom_bytes(&again)));
    ck_assert_int_eq(wrong_of(&b), wrong_of(&again));
    bloom_fini(&again);

    struct str whole = buf_view(&hex);
    ck_assert(!bloom_read(&again, (struct str){ whole.p, whole.n - 2 }));
    ck_assert(!bloom_read(&again, (struct str){ whole.p, whole.n - 1 }));
    ck_assert(!bloom_read(&again, STR("")));
    hex.p[77] = 'x';
    ck_assert(!bloom_read(&again, whole));
    buf_fini(&hex);
    bloom_fini(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bloom");
    TCase *c = tcase_create("bloom");
    digest_init();
    tcase_add_test(c, no_key_is_missed_and_few_are_taken_for_one);
    tcase_add_test(c, an_empty_one_knows_nothing);
    tcase_add_test(c, one_with_ten_times_the_keys_misses_none);
    tcase_add_test(c, one_that_was_kept_is_the_same);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
