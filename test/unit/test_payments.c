/* How invoices and payouts may move, as tables; and what a provider says, read. */
#include <check.h>
#include <stdlib.h>

#include "domain/payments/report.h"
#include "domain/payments/state.h"

static const struct {
    enum invoice_status now;
    const char *moves;      /* for PENDING, PAID, EXPIRED, CANCELLED, FAILED: . stays, c changes, $ credits */
} invoices[] = {
    { INVOICE_PENDING, ".$ccc" },
    { INVOICE_PAID, "....." },
    { INVOICE_EXPIRED, ".$..." },
    { INVOICE_CANCELLED, ".$..." },
    { INVOICE_FAILED, ".$..." },
};

START_TEST(an_invoice_never_goes_back)
{
    ck_assert_int_eq(sizeof invoices / sizeof *invoices, INVOICE_STATUS_COUNT);
    for (int i = 0; i < INVOICE_STATUS_COUNT; i++) {
        for (int to = 0; to < INVOICE_STATUS_COUNT; to++) {
            enum invoice_move move = invoice_move(invoices[i].now, (enum invoice_status) to);
            char sign = move == INVOICE_STAYS ? '.' : move == INVOICE_CHANGES ? 'c' : '$';
            ck_assert_msg(sign == invoices[i].moves[to], "from %d to %d: %c", i, to, sign);
        }
    }
}
END_TEST

/* Whatever comes in whatever order: at most one credit, and exactly one when anything said PAID. */
START_TEST(any_order_of_reports_credits_once)
{
    srandom(17);
    for (int round = 0; round < 100000; round++) {
        enum invoice_status now = INVOICE_PENDING;
        int credits = 0, paid = 0;
        for (int n = 0; n < 12; n++) {
            enum invoice_status to = (enum invoice_status) (random() % INVOICE_STATUS_COUNT);
            paid += to == INVOICE_PAID;
            enum invoice_move move = invoice_move(now, to);
            credits += move == INVOICE_CREDITS;
            if (move != INVOICE_STAYS) now = to;
        }
        ck_assert_int_eq(credits, paid > 0);
        ck_assert_int_eq(now == INVOICE_PAID, paid > 0);
    }
}
END_TEST

static const struct {
    enum payout_status now;
    const char *moves;      /* for pending, done, failed, reversed: . stays, c completes, r returns */
} payouts[] = {
    { PAYOUT_PENDING, ".crr" },
    { PAYOUT_COMPLETED, "...r" },
    { PAYOUT_FAILED, "...." },
};

START_TEST(a_payout_is_returned_at_most_once)
{
    for (int i = 0; i < PAYOUT_STATUS_COUNT; i++) {
        for (int say = 0; say < PAYOUT_REPORTS; say++) {
            enum payout_move move = payout_move(payouts[i].now, (enum payout_report) say);
            char sign = move == PAYOUT_STAYS ? '.' : move == PAYOUT_COMPLETES ? 'c' : 'r';
            ck_assert_msg(sign == payouts[i].moves[say], "from %d said %d: %c", i, say, sign);
        }
    }
}
END_TEST

START_TEST(words_of_providers)
{
    enum invoice_status s;
    enum payout_report p;
    ck_assert(invoice_report_parse(STR("SETTLED"), &s) && s == INVOICE_PAID);
    ck_assert(invoice_report_parse(STR("EXPIRED"), &s) && s == INVOICE_EXPIRED);
    ck_assert(!invoice_report_parse(STR("CANCELLED"), &s));   /* only its owner cancels */
    ck_assert(!invoice_report_parse(STR("Paid"), &s));
    ck_assert(!invoice_report_parse(STR_NONE, &s));
    ck_assert(payout_report_parse(STR("SUCCEEDED"), &p) && p == PAYOUT_SAYS_DONE);
    ck_assert(payout_report_parse(STR("REVERSED"), &p) && p == PAYOUT_SAYS_REVERSED);
    ck_assert(!payout_report_parse(STR("PERHAPS"), &p));
}
END_TEST

static enum err parse(const char *text, struct arena *arena, struct report *out)
{
    return report_parse(str_from(text), arena, out);
}

START_TEST(an_invoice_as_the_provider_shows_it)
{
    struct arena arena;
    struct report r;
    arena_init(&arena);
    const char *text =
        "{\"id\":\"579c8d61f23fa4ca35e52da4\",\"external_id\":\"tally-1\",\"user_id\":\"5781d19b2e2385880609791c\","
        "\"status\":\"PAID\",\"amount\":50000,\"paid_amount\":49999.5,\"paid_at\":\"2016-10-12T08:15:03.404Z\","
        "\"bank_code\":\"BCA\",\"payment_method\":\"BANK_TRANSFER\",\"currency\":\"IDR\",\"payment_channel\":null,"
        "\"invoice_url\":\"https://invoice.example/1\",\"fees\":[{\"type\":\"x\"}]}";
    ck_assert_int_eq(parse(text, &arena, &r), OK);
    ck_assert(str_eq(r.id, STR("579c8d61f23fa4ca35e52da4")) && str_eq(r.external_id, STR("tally-1")));
    ck_assert(r.has_status && r.status == INVOICE_PAID);
    ck_assert_int_eq(r.amount, 5000000);
    ck_assert_int_eq(r.paid_amount, 4999950);
    ck_assert_int_eq(r.paid_us, INT64_C(1476260103404000));
    ck_assert(str_eq(r.channel, STR("BCA")) && str_eq(r.currency, STR("IDR")));
    arena_fini(&arena);
}
END_TEST

START_TEST(what_is_not_as_it_should_be_is_not_believed)
{
    static const char *const bad[] = {
        "", "null", "[]", "7", "{\"id\":7}", "{\"status\":\"PAID\"}", "{\"id\":\"a/../b\"}", "{\"id\":\"..\"}",
        "{\"id\":\"\"}", "{\"id\":\"a\",\"amount\":\"5\"}", "{\"id\":\"a\",\"amount\":-5}",
        "{\"id\":\"a\",\"amount\":0}",
        "{\"id\":\"a\",\"paid_amount\":0.001}", "{\"id\":\"a\",\"paid_amount\":1e20}", "{\"id\":\"a\",\"status\":1}",
        "{\"id\":\"a\",\"paid_at\":\"soon\"}", "{\"id\":\"a\",\"id\":\"b\"}", "{\"id\":\"a\"", "{\"id\":\"a b\"}",
    };
    struct arena arena;
    struct report r;
    arena_init(&arena);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(parse(bad[i], &arena, &r) == ERR_INVALID, "%s", bad[i]);
    ck_assert_int_eq(parse("{\"id\":\"a\"}", &arena, &r), OK);
    ck_assert(!r.has_status && r.amount == -1 && r.paid_us == INT64_MIN);
    arena_fini(&arena);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("payments");
    tcase_add_test(tc, an_invoice_never_goes_back);
    tcase_add_test(tc, any_order_of_reports_credits_once);
    tcase_add_test(tc, a_payout_is_returned_at_most_once);
    tcase_add_test(tc, words_of_providers);
    tcase_add_test(tc, an_invoice_as_the_provider_shows_it);
    tcase_add_test(tc, what_is_not_as_it_should_be_is_not_believed);
    Suite *suite = suite_create("payments");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
