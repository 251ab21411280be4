/* Frames of canonical events: their fields, and that several waiting ones of one account, put together, read as one
 * change. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "domain/push/push_private.h"

enum { USER = 17, ACCOUNT = 230, OTHER = 231, PIECES_MAX = 6 };

static struct settings settings = { .currency = "USD" };
static struct app app = { .settings = &settings };
static struct push push = { .app = &app, .cursor_key = "a key of sixteen" };
static char username[] = "ada", full_name[] = "Ada";
static struct person person = { .id = USER, .username = username, .name = full_name };
static struct arena arena;

static void setup(void)
{
    static const uint8_t secret[SHA256_BYTES] = { 1, 2, 3 };
    digest_init();
    pid_key_init(&app.pids, secret);
    arena_init(&arena);
}

static void teardown(void) { arena_fini(&arena); }

static struct account account_of(enum account_kind kind, enum asset asset)
{
    return (struct account){ .id = ACCOUNT, .owner = USER, .kind = (uint8_t) kind, .asset = (uint8_t) asset,
                             .lifetime = 77 };
}

static struct ws_frame *frame_of(const struct account *a, int64_t seq, int64_t delta, int64_t balance,
                                 const char *metadata)
{
    struct cursor cursor = { 0 };
    struct ledger_event e = {
        .transfer = 1000 + seq, .posting = 1000 + seq, .amount = delta < 0 ? -delta : delta,
        .debit = delta < 0 ? a->id : OTHER, .credit = delta < 0 ? OTHER : a->id,
        .debit_after = delta < 0 ? balance : INT64_MIN, .debit_version = delta < 0 ? seq : INT64_MIN,
        .credit_after = delta < 0 ? INT64_MIN : balance, .credit_version = delta < 0 ? INT64_MIN : seq,
        .lifetime_after = INT64_MIN, .at_us = 1700000000123000,
        .kind = a->asset == ASSET_MONEY ? STR("bank.transfer") : STR("points.purchase_return"),
        .metadata = str_from(metadata),
    };
    cursor_set(&cursor, a->id, seq);
    struct ws_frame *f = event_transfer(&push, &e, a, &person, &cursor);
    ck_assert_ptr_nonnull(f);
    return f;
}

static const struct json *parse(const struct ws_frame *f)
{
    struct json *m;
    const char *why;
    struct str payload = arena_str(&arena, ws_frame_payload(f));   /* what is parsed points into it */
    ck_assert_msg(json_parse(payload, &arena, &m, &why) == OK, "%.*s", STR_FMT(payload));
    return m;
}

static struct str text(const struct json *m, struct str name)
{
    const struct json *value = json_get(m, name);
    ck_assert_ptr_nonnull(value);
    return value->text;
}

#define SAME(object, name, expected) ck_assert_msg(str_eq(text(object, STR(name)), str_from(expected)), \
    "%s is %.*s", name, STR_FMT(text(object, STR(name))))

START_TEST(a_balance_updated_has_its_fields)
{
    struct account a = account_of(ACCOUNT_BANK, ASSET_MONEY);
    struct ws_frame *f = frame_of(&a, 3, -1250, 98750, NULL);
    const struct json *m = parse(f), *data = json_get(m, STR("data"));
    SAME(m, "type", "balance-updated");
    SAME(m, "seq", "3");
    SAME(m, "at", "2023-11-14T22:13:20.123Z");
    ck_assert(str_eq(text(m, STR("stream")), text(data, STR("account"))));
    SAME(data, "kind", "bank");
    SAME(data, "delta", "-12.5");
    SAME(data, "balance", "987.5");
    SAME(data, "currency", "USD");
    SAME(data, "reason", "bank.transfer");
    ck_assert_uint_eq(text(data, STR("transactionId")).n, PID_CHARS);
    ck_assert_int_eq(data->count, 7);
    ws_frame_unref(f);
}
END_TEST

START_TEST(a_points_updated_has_its_fields)
{
    struct account a = account_of(ACCOUNT_POINTS, ASSET_PTS);
    struct ws_frame *f = frame_of(&a, 4, -50, 320, "{\"category\":\"a \\\"b\\\" \\u0001\",\"rewardType\":7}");
    const struct json *m = parse(f), *data = json_get(m, STR("data"));
    SAME(m, "type", "points-updated");
    SAME(data, "program", "points");
    SAME(data, "username", "ada");
    SAME(data, "reason", "purchase");
    SAME(data, "delta", "-50");
    SAME(data, "balance", "320");
    SAME(data, "lifetimePoints", "77");
    SAME(data, "category", "a \"b\" \x01");
    ck_assert_int_eq(json_get(data, STR("rewardType"))->type, JSON_NULL);
    ck_assert_int_eq(json_get(data, STR("referredUserId"))->type, JSON_NULL);
    ck_assert_int_eq(data->count, 11);
    ws_frame_unref(f);
}
END_TEST

START_TEST(a_members_event_has_its_fields_and_no_cursor)
{
    struct book book;
    struct account row = { .id = ACCOUNT, .kind = ACCOUNT_REWARD_POINTS, .asset = ASSET_RWD };
    book_init(&book);
    struct reward_event r = {
        .member = member_of(book_put_member(&book, &row, STR("john123"))), .transfer = 5, .seq = 3,
        .at_us = 1700000000123000, .delta = 500, .balance = 700, .category = STR("a \"b\""), .amount = 1250,
    };
    struct ws_frame *earned = event_reward(&push, &r);
    const struct json *m = parse(earned), *data = json_get(m, STR("data"));
    SAME(m, "type", "points-updated");
    SAME(m, "seq", "3");
    ck_assert_ptr_null(json_get(m, STR("cursor")));
    SAME(data, "program", "rewards");
    SAME(data, "userId", "john123");
    SAME(data, "reason", "earn");
    SAME(data, "delta", "500");
    SAME(data, "balance", "700");
    SAME(data, "category", "a \"b\"");
    ck_assert_int_eq(json_get(data, STR("rewardType"))->type, JSON_NULL);
    ck_assert_int_eq(json_get(data, STR("username"))->type, JSON_NULL);
    ck_assert_int_eq(json_get(data, STR("lifetimePoints"))->type, JSON_NULL);
    ck_assert_int_eq(data->count, 11);
    r = (struct reward_event){ .member = r.member, .transfer = 6, .seq = 4, .delta = -200, .balance = 500,
                               .reward_type = STR("voucher") };
    struct ws_frame *spent = event_reward(&push, &r), *both = ws_frame_conflate(earned, spent);
    data = json_get(parse(both), STR("data"));
    SAME(data, "reason", "redeem");
    SAME(data, "delta", "300");
    SAME(data, "balance", "500");
    SAME(data, "rewardType", "voucher");
    ws_frame_unref(both);
    ws_frame_unref(spent);
    ws_frame_unref(earned);
    book_fini(&book);
}
END_TEST

START_TEST(the_cursor_of_a_frame_is_the_users)
{
    struct account a = account_of(ACCOUNT_BANK, ASSET_MONEY);
    struct ws_frame *f = frame_of(&a, 3, 100, 100, NULL);
    struct cursor c;
    ck_assert(cursor_decode(push.cursor_key, USER, text(parse(f), STR("cursor")), &arena, &c));
    ck_assert_int_eq(cursor_seq(&c, ACCOUNT), 3);
    ck_assert(!cursor_decode(push.cursor_key, USER + 1, text(parse(f), STR("cursor")), &arena, &c));
    ws_frame_unref(f);
}
END_TEST

static const struct {
    enum asset asset;
    int64_t deltas[PIECES_MAX];
    const char *sum;
} chains[] = {
    { ASSET_MONEY, { 100, 200 }, "3" },
    { ASSET_MONEY, { -500, 180, -5 }, "-3.25" },
    { ASSET_MONEY, { 1, 2, 3, 4, 5, 5 }, "0.2" },
    { ASSET_MONEY, { 99, -99 }, "0" },
    { ASSET_MONEY, { 999999999999999, 1 }, "10000000000000" },
    { ASSET_PTS, { 100, 200 }, "300" },
    { ASSET_PTS, { -500, 180, -5 }, "-325" },
    { ASSET_PTS, { 9, 1, -100000, 100000 }, "10" },
};

/* Folded from the left, as they come in a queue that overflows often, or from the right, as when it overflows once. */
static struct ws_frame *fold(struct ws_frame **frames, int n, bool from_left)
{
    struct ws_frame *all = from_left ? frames[0] : frames[n - 1];
    for (int i = 1; i < n; i++) {
        struct ws_frame *next = frames[from_left ? i : n - 1 - i];
        struct ws_frame *both = from_left ? ws_frame_conflate(all, next) : ws_frame_conflate(next, all);
        ck_assert_ptr_nonnull(both);
        ws_frame_unref(all);
        ws_frame_unref(next);
        all = both;
    }
    return all;
}

static void check_chain(int chain, bool from_left)
{
    bool is_money = chains[chain].asset == ASSET_MONEY;
    struct account a = account_of(is_money ? ACCOUNT_WALLET : ACCOUNT_POINTS, chains[chain].asset);
    struct ws_frame *frames[PIECES_MAX];
    int64_t balance = 5000000, count;
    int n = 0;
    for (; n < PIECES_MAX && chains[chain].deltas[n]; n++) {
        balance += chains[chain].deltas[n];
        frames[n] = frame_of(&a, n + 1, chains[chain].deltas[n], balance, NULL);
        ck_assert_uint_eq(frames[n]->key, frames[0]->key);
    }
    const struct json *newest = parse(frames[n - 1]);
    struct ws_frame *all = fold(frames, n, from_left);
    const struct json *m = parse(all), *data = json_get(m, STR("data"));
    ck_assert(json_i64(json_get(m, STR("conflated")), &count) && count == n);
    SAME(data, "delta", chains[chain].sum);
    ck_assert(str_eq(text(data, STR("balance")), text(json_get(newest, STR("data")), STR("balance"))));
    for (const struct json *v = newest->child; v; v = v->next) {
        if (!str_eq(v->name, STR("data"))) ck_assert(str_eq(text(m, v->name), v->text));
    }
    ck_assert_int_eq(m->count, newest->count + 1);
    ck_assert_int_eq(data->count, json_get(newest, STR("data"))->count);
    ws_frame_unref(all);
}

START_TEST(conflated_frames_carry_the_sum) { check_chain(_i, true); }
END_TEST

START_TEST(conflated_from_the_newest_they_are_the_same) { check_chain(_i, false); }
END_TEST

START_TEST(different_objects_have_different_keys)
{
    struct cursor none = { 0 };
    struct account a = account_of(ACCOUNT_BANK, ASSET_MONEY), b = a;
    b.id = OTHER + 1;
    struct ws_frame *frames[] = {
        frame_of(&a, 1, 5, 5, NULL), frame_of(&b, 1, 5, 5, NULL),
        event_inbox(&push, &person, 1, STR("level-up"), STR("{\"level\":{}}"), 0, &none),
        event_inbox(&push, &person, 2, STR("payment-status"), STR("{\"invoiceId\":\"inv_1\"}"), 0, &none),
        event_inbox(&push, &person, 3, STR("payment-status"), STR("{\"invoiceId\":\"inv_2\"}"), 0, &none),
    };
    int n = sizeof frames / sizeof *frames;
    for (int i = 0; i < n; i++) {
        ck_assert_uint_ne(frames[i]->key, 0);
        for (int k = 0; k < i; k++) ck_assert_uint_ne(frames[i]->key, frames[k]->key);
    }
    for (int i = 0; i < n; i++) ws_frame_unref(frames[i]);
}
END_TEST

START_TEST(an_inbox_event_carries_its_data_as_written)
{
    struct cursor cursor = { .inbox = 9 }, back;
    struct str data = STR("{\"level\":{\"name\":\"silver\"}}");
    struct ws_frame *f = event_inbox(&push, &person, 9, STR("level-up"), data, 1000000, &cursor);
    const struct json *m = parse(f);
    SAME(m, "type", "level-up");
    SAME(m, "seq", "9");
    SAME(m, "at", "1970-01-01T00:00:01.000Z");
    SAME(m, "data", "{\"level\":{\"name\":\"silver\"}}");
    ck_assert(cursor_decode(push.cursor_key, USER, text(m, STR("cursor")), &arena, &back) && back.inbox == 9);
    ws_frame_unref(f);
}
END_TEST

int main(void)
{
    int chains_n = sizeof chains / sizeof *chains;
    Suite *suite = suite_create("push event");
    TCase *c = tcase_create("push event");
    tcase_add_checked_fixture(c, setup, teardown);
    tcase_add_test(c, a_balance_updated_has_its_fields);
    tcase_add_test(c, a_points_updated_has_its_fields);
    tcase_add_test(c, a_members_event_has_its_fields_and_no_cursor);
    tcase_add_test(c, the_cursor_of_a_frame_is_the_users);
    tcase_add_loop_test(c, conflated_frames_carry_the_sum, 0, chains_n);
    tcase_add_loop_test(c, conflated_from_the_newest_they_are_the_same, 0, chains_n);
    tcase_add_test(c, different_objects_have_different_keys);
    tcase_add_test(c, an_inbox_event_carries_its_data_as_written);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
