/* What points are worth, and the codes they buy, as tables. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/points/redeem_rule.h"

enum { CENT = 10000, ONE_CENT_A_POINT = CENT };   /* millionths */

static const struct worth {
    int64_t points, rate, cents;   /* cents -1: more than money can be */
} worths[] = {
    { 320, ONE_CENT_A_POINT, 320 }, { 1, ONE_CENT_A_POINT, 1 }, { 0, ONE_CENT_A_POINT, 0 },
    { 1, CENT / 2, 0 }, { 2, CENT / 2, 1 }, { 3, CENT / 2, 1 }, { 199, CENT / 2, 99 },       /* rounded down */
    { 1, 1, 0 }, { 9999, 1, 0 }, { 10000, 1, 1 }, { 19999, 1, 1 },                           /* 0.000001 a point */
    { 3, 3333, 0 }, { 4, 3333, 1 }, { 1000000, 3333, 333300 },
    { 7, 1230000, 861 },                                                                       /* 1.23 a point */
    { 999999999999999, ONE_CENT_A_POINT, 999999999999999 }, { 1000000000000000, ONE_CENT_A_POINT, -1 },
    { 9007199254740991, 1, 900719925474 },
    { 9007199254740991, 1000000000, -1 }, { INT64_MAX, INT64_MAX, -1 },                        /* beyond 64 bits */
};

START_TEST(points_are_worth_what_the_rate_says_rounded_down)
{
    int64_t cents = -1;
    ck_assert_int_eq(redeem_credit(worths[_i].points, worths[_i].rate, &cents), worths[_i].cents >= 0);
    ck_assert_int_eq(cents, worths[_i].cents);
}
END_TEST

START_TEST(a_code_is_made_of_letters_and_digits)
{
    char code[DISCOUNT_CODE_CHARS + 1];
    const uint8_t first[8] = { 0, 1, 25, 26, 35, 36, 251, 71 };
    ck_assert(discount_code_make(first, 8, code));
    ck_assert_str_eq(code, "DISC-ABZ09A99");
}
END_TEST

START_TEST(bytes_that_would_favour_some_letters_are_left_out)
{
    char code[DISCOUNT_CODE_CHARS + 1];
    const uint8_t some[10] = { 252, 0, 253, 0, 0, 0, 0, 0, 0, 0 };
    ck_assert(discount_code_make(some, 10, code));
    ck_assert_str_eq(code, "DISC-AAAAAAAA");
    ck_assert(!discount_code_make(some, 9, code));   /* then there are only seven */
}
END_TEST

START_TEST(every_letter_is_as_likely_as_any_other)
{
    int seen[128] = { 0 };
    for (int byte = 0; byte < 256; byte++) {
        uint8_t random[8];
        char code[DISCOUNT_CODE_CHARS + 1];
        memset(random, byte, sizeof random);
        if (discount_code_make(random, sizeof random, code)) seen[(unsigned char) code[5]]++;
    }
    for (const char *c = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"; *c; c++) ck_assert_int_eq(seen[(unsigned char) *c], 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("redeem");
    TCase *tcase = tcase_create("redeem");
    tcase_add_loop_test(tcase, points_are_worth_what_the_rate_says_rounded_down, 0,
                        (int) (sizeof worths / sizeof *worths));
    tcase_add_test(tcase, a_code_is_made_of_letters_and_digits);
    tcase_add_test(tcase, bytes_that_would_favour_some_letters_are_left_out);
    tcase_add_test(tcase, every_letter_is_as_likely_as_any_other);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
