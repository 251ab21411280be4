/* Public ids: a permutation that nobody can walk, and the marks that SQL leaves for it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/pid/pid.h"

static struct pid_key key;

static void setup(void)
{
    digest_init();
    uint8_t secret[SHA256_BYTES];
    for (int i = 0; i < SHA256_BYTES; i++) secret[i] = (uint8_t) i;
    pid_key_init(&key, secret);
}

static struct str view(const char p[PID_CHARS])
{
    return (struct str){ p, PID_CHARS };
}

START_TEST(every_id_comes_back_as_itself)
{
    static const int64_t ids[] = { 0, 1, 2, 255, 4096, 65535, 1ll << 32, (1ll << 48) - 1, 1ll << 48, INT64_MAX };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        char chars[PID_CHARS];
        pid_encode(&key, PID_ACCOUNT, ids[i], chars);
        ck_assert_int_eq(pid_decode(&key, PID_ACCOUNT, view(chars)), ids[i]);
        for (int k = 0; k < PID_CHARS; k++) ck_assert(strchr("0123456789abcdef", chars[k]) != NULL);
    }
}
END_TEST

START_TEST(an_id_of_another_kind_is_none)
{
    char chars[PID_CHARS];
    pid_encode(&key, PID_ACCOUNT, 7, chars);
    ck_assert_int_eq(pid_decode(&key, PID_USER, view(chars)), -1);
    ck_assert_int_eq(pid_decode(&key, PID_TRANSFER, view(chars)), -1);
}
END_TEST

START_TEST(another_secret_makes_other_ids)
{
    struct pid_key other;
    uint8_t secret[SHA256_BYTES] = { 9 };
    pid_key_init(&other, secret);
    char a[PID_CHARS], b[PID_CHARS];
    pid_encode(&key, PID_ACCOUNT, 7, a);
    pid_encode(&other, PID_ACCOUNT, 7, b);
    ck_assert(memcmp(a, b, PID_CHARS) != 0);
    ck_assert_int_eq(pid_decode(&other, PID_ACCOUNT, view(a)), -1);
}
END_TEST

START_TEST(neighbours_have_nothing_in_common)
{
    /* Over 1,000 pairs about 1 of 16 digits is the same by chance. */
    int same = 0;
    for (int64_t id = 1; id <= 1000; id++) {
        char a[PID_CHARS], b[PID_CHARS];
        pid_encode(&key, PID_USER, id, a);
        pid_encode(&key, PID_USER, id + 1, b);
        for (int k = 0; k < PID_CHARS; k++) same += a[k] == b[k];
    }
    ck_assert_int_gt(same, 1200);
    ck_assert_int_lt(same, 1800);
}
END_TEST

START_TEST(what_is_no_id_decodes_to_none)
{
    char good[PID_CHARS + 1] = { 0 }, text[PID_CHARS + 1];
    pid_encode(&key, PID_ACCOUNT, 5, good);
    static const char *const bad[] = { "", "5", "zzzzzzzzzzzzzzzzzzzzzzzz", "000000000000000000000000",
                                       "ffffffffffffffffffffffff", "65d4f0a1b2c3d4e5f6071829" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(pid_decode(&key, PID_ACCOUNT, str_from(bad[i])), -1);
    ck_assert_int_eq(pid_decode(&key, PID_ACCOUNT, (struct str){ good, PID_CHARS - 1 }), -1);
    ck_assert_int_eq(pid_decode(&key, PID_ACCOUNT, STR_NONE), -1);
    /* One digit changed is another id, and no other digit of the same id will do. */
    for (int k = 0; k < PID_CHARS; k++) {
        memcpy(text, good, sizeof text);
        text[k] = text[k] == '0' ? '1' : '0';
        ck_assert_int_eq(pid_decode(&key, PID_ACCOUNT, view(text)), -1);
    }
    /* One spelling an id. */
    memcpy(text, good, sizeof text);
    for (int k = 0; k < PID_CHARS; k++) {
        if (text[k] >= 'a') text[k] = (char) (text[k] - 32);
    }
    ck_assert_int_eq(pid_decode(&key, PID_ACCOUNT, view(text)), -1);
}
END_TEST

static const struct {
    const char *in;
    const char *format;   /* %s: the id of account 12 */
} marks[] = {
    { "", "" },
    { "plain text", "plain text" },
    { "{\"_id\":\"\xef\xb7\x90" "a12\xef\xb7\x91\"}", "{\"_id\":\"%s\"}" },
    { "\xef\xb7\x90" "a12\xef\xb7\x91", "%s" },
    { "\xef\xb7\x90" "a12\xef\xb7\x91\xef\xb7\x90" "a12\xef\xb7\x91", "%s%s" },
    /* What pid() does not write stays as it is. */
    { "\xef\xb7\x90", "\xef\xb7\x90" },
    { "x\xef\xb7\x90" "a12", "x\xef\xb7\x90" "a12" },
    { "\xef\xb7\x90\xef\xb7\x91", "\xef\xb7\x90\xef\xb7\x91" },
    { "\xef\xb7\x90" "q12\xef\xb7\x91", "\xef\xb7\x90" "q12\xef\xb7\x91" },
    { "\xef\xb7\x90" "a-1\xef\xb7\x91", "\xef\xb7\x90" "a-1\xef\xb7\x91" },
    { "\xef\xb7\x90" "a99999999999999999999\xef\xb7\x91", "\xef\xb7\x90" "a99999999999999999999\xef\xb7\x91" },
    { "\xef\xb7\x90" "a1\xef\xb7\x90" "a12\xef\xb7\x91", "\xef\xb7\x90" "a1%s" },
};

START_TEST(marks_become_ids)
{
    char id[PID_CHARS + 1] = { 0 };
    pid_encode(&key, PID_ACCOUNT, 12, id);
    struct buf out, expected;
    buf_init(&out, 4096);
    buf_init(&expected, 4096);
    for (const char *f = marks[_i].format; *f; f++) {
        if (f[0] == '%') buf_cstr(&expected, id), f++;
        else buf_char(&expected, *f);
    }
    pid_expand(&key, str_from(marks[_i].in), &out);
    ck_assert(str_eq(buf_view(&out), buf_view(&expected)));
    buf_fini(&out);
    buf_fini(&expected);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pid");
    TCase *c = tcase_create("pid");
    tcase_add_checked_fixture(c, setup, NULL);
    tcase_add_test(c, every_id_comes_back_as_itself);
    tcase_add_test(c, an_id_of_another_kind_is_none);
    tcase_add_test(c, another_secret_makes_other_ids);
    tcase_add_test(c, neighbours_have_nothing_in_common);
    tcase_add_test(c, what_is_no_id_decodes_to_none);
    tcase_add_loop_test(c, marks_become_ids, 0, sizeof marks / sizeof *marks);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
