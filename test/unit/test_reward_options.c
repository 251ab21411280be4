/* What points may be redeemed for: read from JSON, and left as it was when that is no list of options. */
#include <check.h>
#include <stdlib.h>

#include "domain/rewards/options.h"

static struct reward_options o;

static void setup(void) { reward_options_init(&o); }
static void teardown(void) { reward_options_fini(&o); }

#define VOUCHER "{\"type\":\"voucher\",\"name\":\"Voucher\",\"description\":\"d\",\"minPoints\":100}"
#define DISCOUNT "{\"type\":\"discount\",\"name\":\"Discount\",\"description\":\"d\",\"minPoints\":50}"

START_TEST(each_is_found_with_its_own_text)
{
    const char *why;
    ck_assert_int_eq(reward_options_read(&o, STR("[" VOUCHER ", " DISCOUNT "]"), &why), OK);
    ck_assert(str_eq(o.json, STR("[" VOUCHER ", " DISCOUNT "]")));
    const struct reward_option *discount = reward_options_find(&o, STR("discount"));
    ck_assert_ptr_nonnull(discount);
    ck_assert_int_eq(discount->min_points, 50);
    ck_assert(str_eq(discount->json, STR(DISCOUNT)));
    ck_assert_int_eq(reward_options_find(&o, STR("voucher"))->min_points, 100);
    ck_assert_ptr_null(reward_options_find(&o, STR("yacht")));
    ck_assert_ptr_null(reward_options_find(&o, STR("")));
}
END_TEST

START_TEST(before_anything_is_read_there_is_none)
{
    ck_assert_ptr_null(o.json.p);
    ck_assert_ptr_null(reward_options_find(&o, STR("voucher")));
}
END_TEST

START_TEST(an_empty_list_is_one)
{
    const char *why;
    ck_assert_int_eq(reward_options_read(&o, STR("[]"), &why), OK);
    ck_assert_ptr_nonnull(o.json.p);
    ck_assert_int_eq(o.count, 0);
}
END_TEST

static const char *const bad[] = {
    "", "[", "{}", "null", "[5]", "[{}]", "[{\"type\":\"\",\"minPoints\":1}]", "[{\"type\":1,\"minPoints\":1}]",
    "[{\"type\":\"a\"}]", "[{\"type\":\"a\",\"minPoints\":\"1\"}]", "[{\"type\":\"a\",\"minPoints\":1.5}]",
    "[" VOUCHER ",{\"type\":\"a\"}]",
};

START_TEST(what_is_no_list_of_options_leaves_the_old_one)
{
    const char *why = NULL;
    ck_assert_int_eq(reward_options_read(&o, STR("[" VOUCHER "]"), &why), OK);
    ck_assert_int_eq(reward_options_read(&o, str_from(bad[_i]), &why), ERR_INVALID);
    ck_assert_ptr_nonnull(why);
    ck_assert_int_eq(reward_options_find(&o, STR("voucher"))->min_points, 100);
    ck_assert(str_eq(o.json, STR("[" VOUCHER "]")));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward options");
    TCase *c = tcase_create("reward options");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, each_is_found_with_its_own_text);
    tcase_add_test(c, before_anything_is_read_there_is_none);
    tcase_add_test(c, an_empty_list_is_one);
    tcase_add_loop_test(c, what_is_no_list_of_options_leaves_the_old_one, 0, sizeof bad / sizeof *bad);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
