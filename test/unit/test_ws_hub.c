/* Topics and their subscribers: who gets what, and what happens when subscribers go while somebody
 * looks at them. */
#include "test/unit/ws_rig.h"

enum { PEERS = 4, POINTS = 1, PAYMENTS = 2 };

static struct ws_hub hub;
static struct peer peers[PEERS];
static struct ws_session *sessions[PEERS];
static uint8_t first;
static struct buf payload;

/* Two subscriptions stand in each session's memory. */
static struct ws_subscription *sub(int i, int which)
{
    return (struct ws_subscription *) ws_session_extra(sessions[i]) + which;
}

static void on_closed(struct ws_session *s, int code)
{
    struct ws_subscription *subs = ws_session_extra(s);
    ws_hub_unsubscribe(&hub, &subs[0]);
    ws_hub_unsubscribe(&hub, &subs[1]);
    rig_closed(s, code);
}

static void setup(void)
{
    buf_init(&payload, 1 << 20);
    ws_hub_init(&hub);
    rig_start((struct ws_options){ .extra_bytes = 2 * (int) sizeof(struct ws_subscription), .close_timeout_ms = 100 });
    rig.handler.on_close = on_closed;
    for (int i = 0; i < PEERS; i++) {
        peers[i] = peer_open(false);
        sessions[i] = rig.last;
    }
}

static void teardown(void)
{
    for (int i = 0; i < PEERS; i++) peer_free(&peers[i]);
    rig_stop();
    ws_hub_fini(&hub);
    buf_fini(&payload);
}

static int publish(uint64_t key, uint32_t mask, const char *text)
{
    struct ws_frame *f = ws_frame_new(WS_TEXT, str_from(text));
    int n = ws_hub_publish(&hub, key, mask, f);
    ws_frame_unref(f);
    return n;
}

static void check_gets(int i, const char *text)
{
    rig_until(peer_next(&peers[i], &first, &payload));
    ck_assert_bytes(buf_view(&payload), str_from(text));
}

START_TEST(publishes_to_those_whose_mask_meets)
{
    ck_assert(!ws_hub_wanted(&hub, 7));
    ws_hub_subscribe(&hub, sub(0, 0), ws_session_outlet(sessions[0]), 7, POINTS);
    ws_hub_subscribe(&hub, sub(1, 0), ws_session_outlet(sessions[1]), 7, POINTS | PAYMENTS);
    ws_hub_subscribe(&hub, sub(2, 0), ws_session_outlet(sessions[2]), 7, PAYMENTS);
    ws_hub_subscribe(&hub, sub(3, 0), ws_session_outlet(sessions[3]), 8, POINTS | PAYMENTS);
    ck_assert(ws_hub_wanted(&hub, 7));
    ck_assert_int_eq(hub.subscriptions, 4);
    ck_assert_int_eq(publish(7, POINTS, "points"), 2);
    ck_assert_int_eq(publish(7, PAYMENTS, "payments"), 2);
    ck_assert_int_eq(publish(7, 4, "nobody"), 0);
    ck_assert_int_eq(publish(9, POINTS, "nobody"), 0);
    ck_assert_int_eq(publish(8, POINTS, "eight"), 1);
    check_gets(0, "points");
    check_gets(1, "points");
    check_gets(1, "payments");
    check_gets(2, "payments");
    check_gets(3, "eight");
    for (int i = 0; i < PEERS; i++) ck_assert_uint_eq(peer_got(&peers[i]), 0);
}
END_TEST

START_TEST(a_topic_lives_as_long_as_its_subscribers)
{
    ws_hub_subscribe(&hub, sub(0, 0), ws_session_outlet(sessions[0]), 0, POINTS); /* key 0 is a key like any other */
    ws_hub_subscribe(&hub, sub(1, 0), ws_session_outlet(sessions[1]), 0, POINTS);
    ws_hub_unsubscribe(&hub, sub(0, 0));
    ws_hub_unsubscribe(&hub, sub(0, 0));
    ck_assert_int_eq(hub.subscriptions, 1);
    ck_assert(ws_hub_wanted(&hub, 0));
    ws_hub_unsubscribe(&hub, sub(1, 0));
    ck_assert(!ws_hub_wanted(&hub, 0));
    ck_assert_uint_eq(hub.topics.count, 0);
    ws_hub_subscribe(&hub, sub(0, 0), ws_session_outlet(sessions[0]), 0, POINTS);
    ck_assert_int_eq(publish(0, POINTS, "again"), 1);
    check_gets(0, "again");
}
END_TEST

START_TEST(one_session_may_hear_several_topics)
{
    ws_hub_subscribe(&hub, sub(0, 0), ws_session_outlet(sessions[0]), 1, POINTS);
    ws_hub_subscribe(&hub, sub(0, 1), ws_session_outlet(sessions[0]), 2, POINTS);
    publish(1, POINTS, "one");
    publish(2, POINTS, "two");
    check_gets(0, "one");
    check_gets(0, "two");
}
END_TEST

START_TEST(closing_sessions_hear_nothing_and_leave_at_their_end)
{
    for (int i = 0; i < PEERS; i++) ws_hub_subscribe(&hub, sub(i, 0), ws_session_outlet(sessions[i]), 7, POINTS);
    ws_session_close(sessions[1], 4403, STR_NONE);
    ck_assert_int_eq(publish(7, POINTS, "news"), PEERS - 1);
    check_gets(1, "\x11\x33");
    rig_until(rig.closed == 1);
    ck_assert_int_eq(hub.subscriptions, PEERS - 1);
    ck_assert_int_eq(publish(7, POINTS, "more"), PEERS - 1);
    check_gets(3, "news");
    check_gets(3, "more");
}
END_TEST

/* Subscribers that a publish itself closes, because they are too slow, do not disturb the others. */
START_TEST(publishing_may_close_the_slow)
{
    for (int i = 0; i < PEERS; i++) ws_hub_subscribe(&hub, sub(i, 0), ws_session_outlet(sessions[i]), 7, POINTS);
    char *text = malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = 0;
    while (rig.closed == 0) {
        publish(7, POINTS, text);
        rig_turn();
        for (int i = 1; i < PEERS; i++) {
            while (peer_next(&peers[i], &first, &payload)) ck_assert_uint_eq(payload.n, 100000);
        }
    }
    ck_assert_int_eq(hub.subscriptions, PEERS - 1);
    ck_assert_int_eq(publish(7, POINTS, "end"), PEERS - 1);
    for (int i = 1; i < PEERS; i++) {
        do rig_until(peer_next(&peers[i], &first, &payload));
        while (payload.n == 100000);
        ck_assert_bytes(buf_view(&payload), STR("end"));
    }
    free(text);
}
END_TEST

enum what { LOOK, CLOSE, UNSUBSCRIBE, UNSUBSCRIBE_THE_NEXT, UNSUBSCRIBE_BOTH, MOVE_TO_ANOTHER, WHATS };

START_TEST(visiting_allows_what_it_says)
{
    enum what what = (enum what) _i;
    for (int i = 0; i < PEERS; i++) ws_hub_subscribe(&hub, sub(i, 0), ws_session_outlet(sessions[i]), 7, POINTS);
    bool in_pairs = what == UNSUBSCRIBE_THE_NEXT || what == UNSUBSCRIBE_BOTH;
    int visited = 0;
    for (struct ws_subscription *s = NULL; (s = ws_hub_next(&hub, 7, s)); visited++) {
        ck_assert_ptr_eq(s, sub(in_pairs ? 2 * visited : visited, 0));
        struct ws_outlet outlet = s->outlet;
        if (what == CLOSE) ws_session_close(outlet.to, 4401, STR_NONE);
        if (what == UNSUBSCRIBE || what == UNSUBSCRIBE_BOTH || what == MOVE_TO_ANOTHER) ws_hub_unsubscribe(&hub, s);
        if (in_pairs) ws_hub_unsubscribe(&hub, sub(2 * visited + 1, 0));
        if (what == MOVE_TO_ANOTHER) ws_hub_subscribe(&hub, s, outlet, 8, POINTS);
    }
    ck_assert_int_eq(visited, in_pairs ? PEERS / 2 : PEERS);
    ck_assert(ws_hub_wanted(&hub, 7) == (what == LOOK || what == CLOSE || what == UNSUBSCRIBE_THE_NEXT));
    ck_assert(ws_hub_wanted(&hub, 8) == (what == MOVE_TO_ANOTHER));
    if (what == CLOSE) rig_until(rig.closed == PEERS);
}
END_TEST

START_TEST(nobody_is_visited_where_nobody_listens)
{
    ck_assert_ptr_null(ws_hub_next(&hub, 7, NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ws_hub");
    TCase *tcase = tcase_create("ws_hub");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, publishes_to_those_whose_mask_meets);
    tcase_add_test(tcase, a_topic_lives_as_long_as_its_subscribers);
    tcase_add_test(tcase, one_session_may_hear_several_topics);
    tcase_add_test(tcase, closing_sessions_hear_nothing_and_leave_at_their_end);
    tcase_add_test(tcase, publishing_may_close_the_slow);
    tcase_add_loop_test(tcase, visiting_allows_what_it_says, 0, WHATS);
    tcase_add_test(tcase, nobody_is_visited_where_nobody_listens);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
