/* The ledger's messages: what goes in comes out, and what is malformed gives nothing at all. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/ledger/event.h"

static struct buf message;

static void setup(void)
{
    buf_init(&message, 1 << 20);
    buf_put(&message, "L\0\0\0\0\0\0\x01\x02", 9);
}

static void teardown(void) { buf_fini(&message); }

static const struct ledger_event samples[] = {
    { .transfer = 1, .posting = 1, .debit = 5, .credit = 6, .amount = 100, .debit_after = 0, .debit_version = 1,
      .credit_after = 100, .credit_version = 1, .lifetime_after = INT64_MIN, .kind = { "bank.transfer", 13 } },
    { .transfer = 4097, .posting = 4096, .debit = 1, .credit = 6, .amount = INT64_MAX, .debit_after = INT64_MIN,
      .debit_version = INT64_MIN, .credit_after = INT64_MAX, .credit_version = 1ll << 40, .lifetime_after = -3,
      .kind = { "points.earn", 11 }, .reference_type = { "order", 5 }, .reference_id = { "", 0 },
      .metadata = { "{\"a\":1}", 7 } },
    { .transfer = INT64_MAX, .posting = INT64_MAX, .debit = 1, .credit = 2, .amount = 1, .debit_after = INT64_MIN,
      .debit_version = INT64_MIN, .credit_after = INT64_MIN, .credit_version = INT64_MIN,
      .lifetime_after = INT64_MIN, .kind = { "", 0 } },
};
enum { SAMPLES = sizeof samples / sizeof *samples };

static int taken;

static void same_str(struct str a, struct str b)
{
    ck_assert(str_eq(a, b));
    ck_assert_int_eq(a.p == NULL, b.p == NULL);
}

static void expect_sample(void *arg, const struct ledger_event *e)
{
    (void) arg;
    const struct ledger_event *s = &samples[taken++];
    ck_assert_int_eq(e->transfer, s->transfer);
    ck_assert_int_eq(e->posting, s->posting);
    ck_assert_int_eq(e->debit, s->debit);
    ck_assert_int_eq(e->credit, s->credit);
    ck_assert_int_eq(e->amount, s->amount);
    ck_assert_int_eq(e->debit_after, s->debit_after);
    ck_assert_int_eq(e->debit_version, s->debit_version);
    ck_assert_int_eq(e->credit_after, s->credit_after);
    ck_assert_int_eq(e->credit_version, s->credit_version);
    ck_assert_int_eq(e->lifetime_after, s->lifetime_after);
    ck_assert_int_eq(e->at_us, 0x102);
    ck_assert(str_eq(e->kind, s->kind));
    same_str(e->reference_type, s->reference_type);
    same_str(e->reference_id, s->reference_id);
    same_str(e->metadata, s->metadata);
}

static void count(void *arg, const struct ledger_event *e)
{
    (void) arg;
    (void) e;
    taken++;
}

START_TEST(what_goes_in_comes_out)
{
    taken = 0;
    for (int i = 0; i < SAMPLES; i++) ledger_event_encode(&message, &samples[i]);
    ck_assert(ledger_event_decode(buf_view(&message), expect_sample, NULL));
    ck_assert_int_eq(taken, SAMPLES);
}
END_TEST

START_TEST(an_ordinary_transfer_is_small)
{
    ledger_event_encode(&message, &samples[0]);
    ck_assert_int_le(message.n, 9 + 32);
}
END_TEST

START_TEST(a_message_cut_anywhere_inside_a_transfer_gives_nothing)
{
    size_t ends[SAMPLES + 1] = { message.n };
    for (int i = 0; i < SAMPLES; i++) {
        ledger_event_encode(&message, &samples[i]);
        ends[i + 1] = message.n;
    }
    for (size_t n = 0; n < message.n; n++) {
        bool between = false;
        for (int i = 0; i <= SAMPLES; i++) between = between || ends[i] == n;
        taken = 0;
        ck_assert_int_eq(ledger_event_decode((struct str){ message.p, n }, count, NULL), between);
        if (!between) ck_assert_int_eq(taken, 0);
    }
}
END_TEST

static const struct {
    const char *what;
    struct str bytes;
} malformed[] = {
    { "another kind of message", { "{\"t\":\"user\"}", 12 } },
    { "unknown flag", { "L\0\0\0\0\0\0\0\0\x80\2\2\2\2\0", 15 } },
    { "overlong number", { "L\0\0\0\0\0\0\0\0\0\x82\0\2\2\2\0", 16 } },
    { "number beyond 64 bits", { "L\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\2\2\2\0", 24 } },
    { "text longer than the message", { "L\0\0\0\0\0\0\0\0\0\2\2\2\2\5ab", 17 } },
};

START_TEST(malformed_messages_give_nothing)
{
    taken = 0;
    ck_assert_msg(!ledger_event_decode(malformed[_i].bytes, count, NULL), "%s", malformed[_i].what);
    ck_assert_int_eq(taken, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event");
    TCase *c = tcase_create("event");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, what_goes_in_comes_out);
    tcase_add_test(c, an_ordinary_transfer_is_small);
    tcase_add_test(c, a_message_cut_anywhere_inside_a_transfer_gives_nothing);
    tcase_add_loop_test(c, malformed_messages_give_nothing, 0, sizeof malformed / sizeof *malformed);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
