/* Numbers and names that people choose, as tables. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/phone/phone.h"
#include "domain/signup/signup.h"

static const struct {
    const char *text, *country, *digits;   /* digits NULL: no number */
} numbers[] = {
    { "628123456789", "62", "628123456789" },
    { "+628123456789", "62", "628123456789" },
    { "08123456789", "62", "628123456789" },
    { "08123456789", "49", "498123456789" },
    { "08123456789", "1", "18123456789" },
    { "01234567", "62", "621234567" },
    { "12345678", "62", "12345678" },
    { "123456789012345", "62", "123456789012345" },
    { "012345678901234", "1", "112345678901234" },
    { "01234567890123", "62", "621234567890123" },
    { "", "62", NULL },
    { "+", "62", NULL },
    { "1234567", "62", NULL },
    { "+1234567", "62", NULL },
    { "0123456", "62", NULL },
    { "1234567890123456", "62", NULL },
    { "012345678901234", "62", NULL },             /* 16 digits with the country's */
    { "+0812345678", "62", NULL },
    { "++62812345678", "62", NULL },
    { "62812345678+", "62", NULL },
    { "62812 345678", "62", NULL },
    { "62812-345678", "62", NULL },
    { "(0812)345678", "62", NULL },
    { "62812345678x", "62", NULL },
    { "\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4\xd9\xa5\xd9\xa6", "62", NULL },   /* digits of another script */
};

START_TEST(number)
{
    char out[PHONE_CHARS_MAX + 1];
    const char *expected = numbers[_i].digits;
    memset(out, 'x', sizeof out);
    ck_assert_int_eq(phone_normalise(str_from(numbers[_i].text), numbers[_i].country, out), expected != NULL);
    if (expected) ck_assert_str_eq(out, expected);
}
END_TEST

/* What has its one form keeps it. */
START_TEST(again)
{
    char once[PHONE_CHARS_MAX + 1], twice[PHONE_CHARS_MAX + 1];
    if (!phone_normalise(str_from(numbers[_i].text), numbers[_i].country, once)) return;
    ck_assert(phone_normalise(str_from(once), numbers[_i].country, twice));
    ck_assert_str_eq(twice, once);
}
END_TEST

static const struct {
    const char *name;
    bool good;
} names[] = {
    { "john_doe", true },
    { "a-b", true },
    { "A.B_c-9", true },
    { "._-", true },
    { "12345a", true },
    { "65d4f0a1b2c3d4e5f607182", true },           /* 23 */
    { "65d4f0a1b2c3d4e5f60718299", true },         /* 25 */
    { "65d4f0a1b2c3d4e5f607182g", true },
    { "12345", false },
    { "65d4f0a1b2c3d4e5f6071829", false },
    { "65D4F0A1B2C3D4E5F6071829", false },
    { "abcdefabcdefabcdefabcdef", false },
    { "a b", false },
    { "a@b", false },
    { "a/b", false },
    { "a+b", false },
    { "j\xc3\xb6rg", false },
    { "\xd0\xb0" "da", false },                    /* looks like "ada" */
};

START_TEST(username)
{
    const char *fault = signup_name_fault(str_from(names[_i].name));
    ck_assert_msg((fault == NULL) == names[_i].good, "%s: %s", names[_i].name, fault ? fault : "good");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("phone");
    tcase_add_loop_test(t, number, 0, (int) (sizeof numbers / sizeof *numbers));
    tcase_add_loop_test(t, again, 0, (int) (sizeof numbers / sizeof *numbers));
    tcase_add_loop_test(t, username, 0, (int) (sizeof names / sizeof *names));
    Suite *s = suite_create("phone");
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
