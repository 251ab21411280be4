/* The decoder of replication messages: each kind whole, and cut at every byte. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "db/pgoutput.h"

#define Z8 "\0\0\0\0\0\0\0\0"
#define WAL "w" Z8 Z8 Z8

/* One day and one microsecond after 2000-01-01. */
#define TIME "\x00\x00\x00\x14\x1d\xd7\x60\x01"
static const int64_t TIME_US = INT64_C(946684800000000) + INT64_C(86400000001);

static const struct {
    const char *name;
    struct str frame;
    struct pgoutput expected;
} wholes[] = {
    { "keepalive", { "k" "\0\0\0\1\0\0\0\2" TIME "\1", 18 },
      { .kind = PGOUTPUT_KEEPALIVE, .position = 0x100000002, .reply_wanted = true, .time_us = TIME_US } },
    { "quiet keepalive", { "k" "\xff\0\0\0\0\0\0\2" TIME "\0", 18 },
      { .kind = PGOUTPUT_KEEPALIVE, .position = 0xff00000000000002, .time_us = TIME_US } },
    { "begin", { WAL "B" Z8 TIME "\0\0\0\7", 46 }, { .kind = PGOUTPUT_BEGIN, .time_us = TIME_US } },
    { "commit", { WAL "C\0" Z8 "\0\0\0\0\0\0\1\0" TIME, 51 },
      { .kind = PGOUTPUT_COMMIT, .position = 256, .time_us = TIME_US } },
    { "message", { WAL "M\1" Z8 "tally\0" "\0\0\0\3" "a\0b", 48 },
      { .kind = PGOUTPUT_MESSAGE, .transactional = true, .prefix = { "tally", 5 }, .content = { "a\0b", 3 } } },
    { "message outside of transactions", { WAL "M\0" Z8 "\0" "\0\0\0\0", 40 },
      { .kind = PGOUTPUT_MESSAGE, .prefix = { "", 0 }, .content = { "", 0 } } },
};

static const size_t WHOLES = sizeof wholes / sizeof *wholes;

START_TEST(takes_what_is_whole)
{
    struct pgoutput out, e = wholes[_i].expected;
    ck_assert_msg(pgoutput_decode(wholes[_i].frame, &out), "%s", wholes[_i].name);
    ck_assert_int_eq(out.kind, e.kind);
    ck_assert_uint_eq(out.position, e.position);
    ck_assert_int_eq(out.time_us, e.time_us);
    ck_assert_int_eq(out.reply_wanted, e.reply_wanted);
    ck_assert_int_eq(out.transactional, e.transactional);
    ck_assert(str_eq(out.prefix, e.prefix) && str_eq(out.content, e.content));
}
END_TEST

START_TEST(refuses_what_is_cut_or_longer)
{
    struct pgoutput out;
    struct str whole = wholes[_i].frame;
    for (size_t n = 0; n < whole.n; n++) {
        /* A copy of exactly this length, so that the sanitizer sees each byte read too many. */
        char *copy = malloc(n ? n : 1);
        memcpy(copy, whole.p, n);
        ck_assert_msg(!pgoutput_decode((struct str){ copy, n }, &out), "%s cut at %zu", wholes[_i].name, n);
        free(copy);
    }
    char longer[64] = { 0 };
    memcpy(longer, whole.p, whole.n);
    ck_assert(!pgoutput_decode((struct str){ longer, whole.n + 1 }, &out));
}
END_TEST

START_TEST(skips_what_it_did_not_ask_for)
{
    struct pgoutput out;
    ck_assert(pgoutput_decode((struct str){ WAL "Rsomething", 35 }, &out));
    ck_assert_int_eq(out.kind, PGOUTPUT_OTHER);
    ck_assert(!pgoutput_decode(STR("x"), &out));
}
END_TEST

START_TEST(refuses_lengths_beyond_the_end)
{
    struct pgoutput out;
    ck_assert(!pgoutput_decode((struct str){ WAL "M\1" Z8 "tally\0" "\xff\xff\xff\xff" "abc", 48 }, &out));
    ck_assert(!pgoutput_decode((struct str){ WAL "M\1" Z8 "tally\0" "\0\0\0\4" "abc", 48 }, &out));
    ck_assert(!pgoutput_decode((struct str){ WAL "M\1" Z8 "tally\0" "\0\0\0\2" "abc", 48 }, &out));
    ck_assert(!pgoutput_decode((struct str){ WAL "M\1" Z8 "no end", 40 }, &out));
}
END_TEST

START_TEST(writes_a_status)
{
    char out[PGOUTPUT_STATUS_BYTES];
    pgoutput_status(out, 0x0102030405060708, TIME_US, true);
    ck_assert_mem_eq(out, "r\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10" TIME "\1", sizeof out);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pgoutput");
    TCase *t = tcase_create("decoder");
    tcase_add_loop_test(t, takes_what_is_whole, 0, (int) WHOLES);
    tcase_add_loop_test(t, refuses_what_is_cut_or_longer, 0, (int) WHOLES);
    tcase_add_test(t, skips_what_it_did_not_ask_for);
    tcase_add_test(t, refuses_lengths_beyond_the_end);
    tcase_add_test(t, writes_a_status);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
