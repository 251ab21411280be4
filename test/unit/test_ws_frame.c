/* Frames: the header of every size, shared ownership, and what conflation makes of two events. */
#include "ws/frame.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

static const struct {
    size_t payload;
    uint8_t head[10];
    uint32_t head_size;
} sizes[] = {
    { 0, { 0x81, 0 }, 2 },
    { 1, { 0x81, 1 }, 2 },
    { 125, { 0x81, 125 }, 2 },
    { 126, { 0x81, 126, 0, 126 }, 4 },
    { 65535, { 0x81, 126, 0xff, 0xff }, 4 },
    { 65536, { 0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0 }, 10 },
};

START_TEST(has_the_shortest_header_for_its_size)
{
    size_t n = sizes[_i].payload;
    char *payload = mem_alloc(n + 1);
    memset(payload, 'x', n);
    struct ws_frame *f = ws_frame_new(WS_TEXT, (struct str){ payload, n });
    ck_assert_uint_eq(f->head, sizes[_i].head_size);
    ck_assert_uint_eq(f->size, sizes[_i].head_size + n);
    ck_assert_mem_eq(f->bytes, sizes[_i].head, sizes[_i].head_size);
    ck_assert(str_eq(ws_frame_payload(f), (struct str){ payload, n }));
    ck_assert_uint_eq(f->conflated, 1);
    ws_frame_unref(f);
    mem_free(payload);
}
END_TEST

START_TEST(the_opcode_stands_in_the_first_byte)
{
    static const struct {
        enum ws_opcode opcode;
        uint8_t first;
    } cases[] = {
        { WS_TEXT, 0x81 }, { WS_BINARY, 0x82 }, { WS_CLOSE, 0x88 }, { WS_PING, 0x89 }, { WS_PONG, 0x8a },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ws_frame *f = ws_frame_new(cases[i].opcode, STR("ab"));
        ck_assert_uint_eq(f->bytes[0], cases[i].first);
        ws_frame_unref(f);
    }
}
END_TEST

START_TEST(lives_until_the_last_reference_is_gone)
{
    struct ws_frame *f = ws_frame_new(WS_TEXT, STR("{}"));
    ck_assert_ptr_eq(ws_frame_ref(f), f);
    ws_frame_unref(f);
    ck_assert(str_eq(ws_frame_payload(f), STR("{}"))); /* ASan would see it */
    ws_frame_unref(f);
}
END_TEST

/* Events in the order they happened; "delta" is where the digits are, or NULL. */
static const struct {
    const char *name;
    bool money;
    struct {
        const char *payload, *digits;
        int64_t delta;
    } events[4];
    const char *result;
    const char *digits; /* of the result */
} conflations[] = {
    { "the sum replaces the newest's delta",
      false,
      { { "{\"seq\":1,\"delta\":50,\"b\":50}", "50,", 50 }, { "{\"seq\":2,\"delta\":7,\"b\":57}", "7,", 7 } },
      "{\"conflated\":2,\"seq\":2,\"delta\":57,\"b\":57}",
      "57," },
    { "three count as three",
      false,
      { { "{\"delta\":1}", "1}", 1 }, { "{\"delta\":2}", "2}", 2 }, { "{\"delta\":3}", "3}", 3 } },
      "{\"conflated\":3,\"delta\":6}",
      "6}" },
    { "four, with the sign changing",
      false,
      { { "{\"delta\":1}", "1}", 1 },
        { "{\"delta\":-200}", "-200}", -200 },
        { "{\"delta\":3}", "3}", 3 },
        { "{\"delta\":100}", "100}", 100 } },
      "{\"conflated\":4,\"delta\":-96}",
      "-96}" },
    { "without a delta the newest stands",
      false,
      { { "{\"status\":\"PENDING\"}", NULL, 0 }, { "{\"status\":\"PAID\"}", NULL, 0 } },
      "{\"conflated\":2,\"status\":\"PAID\"}",
      NULL },
    { "money is printed from minor units",
      true,
      { { "{\"delta\":-5}", "-5}", -500 }, { "{\"delta\":8.2}", "8.2}", 820 } },
      "{\"conflated\":2,\"delta\":3.2}",
      "3.2}" },
    { "small money",
      true,
      { { "{\"delta\":-0.01}", "-0.01}", -1 }, { "{\"delta\":-0.04}", "-0.04}", -4 } },
      "{\"conflated\":2,\"delta\":-0.05}",
      "-0.05}" },
    { "money that sums to nothing",
      true,
      { { "{\"delta\":-0.5}", "-0.5}", -50 }, { "{\"delta\":0.5}", "0.5}", 50 } },
      "{\"conflated\":2,\"delta\":0}",
      "0}" },
    { "two digits behind the point",
      true,
      { { "{\"delta\":12}", "12}", 1200 }, { "{\"delta\":0.05}", "0.05}", 5 } },
      "{\"conflated\":2,\"delta\":12.05}",
      "12.05}" },
    { "the largest sum that fits",
      false,
      { { "{\"delta\":9223372036854775800}", "9223372036854775800}", INT64_MAX - 7 }, { "{\"delta\":7}", "7}", 7 } },
      "{\"conflated\":2,\"delta\":9223372036854775807}",
      "9223372036854775807}" },
    { "the smallest money",
      true,
      { { "{\"delta\":0}", "0}", 0 }, { "{\"delta\":-92233720368547758.08}", "-92233720368547758.08}", INT64_MIN } },
      "{\"conflated\":2,\"delta\":-92233720368547758.08}",
      "-92233720368547758.08}" },
    { "an empty object",
      false,
      { { "{}", NULL, 0 }, { "{}", NULL, 0 }, { "{}", NULL, 0 } },
      "{\"conflated\":3}",
      NULL },
};

static struct ws_frame *event(const char *payload, const char *digits, int64_t delta, bool money)
{
    struct ws_frame *f = ws_frame_new(WS_TEXT, str_from(payload));
    f->key = 7;
    f->delta = delta;
    f->delta_is_money = money;
    if (digits) {
        f->delta_at = (uint32_t) (strstr(payload, digits) - payload);
        f->delta_size = (uint32_t) strlen(digits) - 1;
    }
    return f;
}

/* `both` replaces what it was made of. */
static struct ws_frame *merge(struct ws_frame *older, struct ws_frame *newest)
{
    struct ws_frame *both = ws_frame_conflate(older, newest);
    ck_assert_ptr_nonnull(both);
    ws_frame_unref(older);
    ws_frame_unref(newest);
    return both;
}

static void check_result(int i, struct ws_frame *f)
{
    struct str text = ws_frame_payload(f);
    ck_assert_msg(str_eq(text, str_from(conflations[i].result)), "%s: got %.*s", conflations[i].name, STR_FMT(text));
    ck_assert_uint_eq(f->bytes[0], 0x81);
    ck_assert_uint_eq(f->key, 7);
    const char *digits = conflations[i].digits;
    ck_assert_uint_eq(f->delta_size, digits ? strlen(digits) - 1 : 0);
    if (digits) ck_assert_mem_eq(text.p + f->delta_at, digits, f->delta_size);
    ws_frame_unref(f);
}

START_TEST(conflates)
{
    struct ws_frame *forward[4] = { 0 }, *backward[4] = { 0 };
    int n = 0;
    for (; n < 4 && conflations[_i].events[n].payload; n++) {
        const char *payload = conflations[_i].events[n].payload, *digits = conflations[_i].events[n].digits;
        forward[n] = event(payload, digits, conflations[_i].events[n].delta, conflations[_i].money);
        backward[n] = event(payload, digits, conflations[_i].events[n].delta, conflations[_i].money);
    }
    struct ws_frame *f = forward[0];
    for (int i = 1; i < n; i++) f = merge(f, forward[i]);
    check_result(_i, f);
    /* As the queue does it: from the newest to the oldest. */
    struct ws_frame *b = backward[n - 1];
    for (int i = n - 2; i >= 0; i--) b = merge(backward[i], b);
    ck_assert_uint_eq(b->conflated, (unsigned) n);
    check_result(_i, b);
}
END_TEST

START_TEST(keeps_both_when_the_sum_does_not_fit)
{
    struct ws_frame *a = event("{\"delta\":9223372036854775807}", "9223372036854775807}", INT64_MAX, false);
    struct ws_frame *b = event("{\"delta\":1}", "1}", 1, false);
    ck_assert_ptr_null(ws_frame_conflate(a, b));
    ws_frame_unref(a);
    ws_frame_unref(b);
}
END_TEST

START_TEST(the_header_grows_with_the_payload)
{
    char payload[121];
    memset(payload, ' ', sizeof payload);
    payload[0] = '{';
    memcpy(payload + sizeof payload - 8, "\"a\":123}", 8);
    struct ws_frame *a = ws_frame_new(WS_TEXT, (struct str){ payload, sizeof payload });
    struct ws_frame *both = ws_frame_conflate(a, a);
    ck_assert_uint_eq(a->head, 2);
    ck_assert_uint_eq(both->head, 4);
    ck_assert_uint_eq(both->size, 4 + sizeof payload + strlen("\"conflated\":2,"));
    ws_frame_unref(a);
    ws_frame_unref(both);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ws_frame");
    TCase *tcase = tcase_create("ws_frame");
    tcase_add_loop_test(tcase, has_the_shortest_header_for_its_size, 0, (int) (sizeof sizes / sizeof *sizes));
    tcase_add_test(tcase, the_opcode_stands_in_the_first_byte);
    tcase_add_test(tcase, lives_until_the_last_reference_is_gone);
    tcase_add_loop_test(tcase, conflates, 0, (int) (sizeof conflations / sizeof *conflations));
    tcase_add_test(tcase, keeps_both_when_the_sum_does_not_fit);
    tcase_add_test(tcase, the_header_grows_with_the_payload);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
