/* Sessions over real sockets: what leaves in which write, slow readers, pings and their absence.
 * How they end is test_ws_ending.c. */
#include "test/unit/ws_rig.h"

#define CHECK_TEXT(p, text)                             \
    do {                                                \
        rig_until(peer_next((p), &first, &payload));    \
        ck_assert_uint_eq(first, 0x81);                 \
        ck_assert_bytes(buf_view(&payload), STR(text)); \
    } while (0)

/* Each test has one of each at hand. */
static uint8_t first;
static struct buf payload;

static void setup(void)
{
    buf_init(&payload, 16 << 20);
}

static void teardown(void)
{
    buf_fini(&payload);
}

static int64_t number_after(struct str text, const char *name)
{
    char *at = memmem(text.p, text.n, name, strlen(name));
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void send_late(struct turn_item *item)
{
    (void) item;
    ws_session_send_text(rig.last, STR("late"));
}

/* The frames of one turn are one write, also those of who comes up later in the turn. */
START_TEST(a_turn_is_one_write)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    int before = peer_segments(&p);
    struct ws_frame *shared = ws_frame_new(WS_TEXT, STR("shared"));
    for (int i = 0; i < 16; i++) ws_session_send(rig.last, shared);
    ws_session_send_text(rig.last, STR("own"));
    ws_frame_unref(shared);
    ck_assert_uint_eq(ws_session_waiting(rig.last), 16 * 8 + 5);
    struct turn_item late;
    turn_item_init(&late, send_late);
    turn_defer(&rig.turn, &late);
    while (ws_session_waiting(rig.last) > 0) rig_turn();
    ck_assert_int_eq(peer_segments(&p) - before, 1);
    ck_assert_uint_eq(peer_got(&p), 16 * 8 + 5 + 6);
    ck_assert_mem_eq(p.in.p + 15 * 8, "\x81\x06shared\x81\x03own\x81\x04late", 19);
    peer_free(&p);
    rig_stop();
}
END_TEST

START_TEST(more_than_a_write_holds_arrives_in_order)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    char text[16];
    for (int i = 0; i < 5000; i++) {
        ws_session_send_text(rig.last, (struct str){ text, (size_t) snprintf(text, sizeof text, "%d", i) });
    }
    for (int i = 0; i < 5000; i++) {
        rig_until(peer_next(&p, &first, &payload));
        ck_assert_int_eq(number_after(buf_view(&payload), ""), i);
    }
    peer_free(&p);
    rig_stop();
}
END_TEST

/* Nothing is given up that the kernel would have taken: a burst far over the bound reaches who
 * reads. */
START_TEST(a_burst_over_the_bound_reaches_a_reader)
{
    rig_start((struct ws_options){ .queue_bytes = 65536 });
    struct peer p = peer_open(false);
    for (int i = 0; i < 1000; i++) {
        struct ws_frame *f = event(0, i, 300);
        ws_session_send(rig.last, f);
        ws_frame_unref(f);
    }
    ck_assert(!ws_session_is_closing(rig.last));
    for (int i = 0; i < 1000; i++) {
        rig_until(peer_next(&p, &first, &payload));
        ck_assert_int_eq(number_after(buf_view(&payload), "delta\":"), i);
    }
    peer_free(&p);
    rig_stop();
}
END_TEST

/* One who does not read gets the newest state of each object, one who does gets everything. */
START_TEST(a_slow_reader_gets_the_newest_state)
{
    rig_start((struct ws_options){ .queue_bytes = 65536 });
    struct peer slow = peer_open(true);
    struct ws_session *to_slow = rig.last;
    struct peer fast = peer_open(false);
    struct ws_session *to_fast = rig.last;
    stuff(to_slow);
    enum { EVENTS = 4000, KEYS = 5 };
    int64_t sum[KEYS] = { 0 }, seen[KEYS] = { 0 }, count[KEYS] = { 0 }, last_fill = 0;
    for (int i = 0; i < EVENTS; i++) {
        struct ws_frame *f = event((uint64_t) (i % KEYS) + 1, i, 100);
        ws_session_send(to_slow, f);
        ws_session_send(to_fast, f);
        ws_frame_unref(f);
        sum[i % KEYS] += i;
        rig_turn();
        ck_assert_uint_le(ws_session_waiting(to_slow), 65536);
        rig_until(peer_next(&fast, &first, &payload));
        ck_assert_int_eq(number_after(buf_view(&payload), "\"delta\":"), i);
        ck_assert_int_eq(number_after(buf_view(&payload), "conflated\":"), 0);
    }
    ck_assert(!ws_session_is_closing(to_slow));
    int64_t frames = 0, total = 0;
    while (total < EVENTS) {
        rig_until(peer_next(&slow, &first, &payload));
        int64_t key = number_after(buf_view(&payload), "\"key\":"),
                n = number_after(buf_view(&payload), "conflated\":");
        if (key == 0) continue;
        seen[key - 1] += number_after(buf_view(&payload), "\"delta\":");
        count[key - 1] += n ? n : 1;
        total += n ? n : 1;
        frames++;
        last_fill = key;
    }
    for (int i = 0; i < KEYS; i++) {
        ck_assert_int_eq(seen[i], sum[i]);
        ck_assert_int_eq(count[i], EVENTS / KEYS);
    }
    ck_assert_int_eq(last_fill, KEYS); /* the newest event is the last to come */
    ck_assert_int_lt(frames, EVENTS / 2);
    struct buf metrics;
    buf_init(&metrics, 1 << 20);
    metrics_print(&rig.metrics, &metrics);
    ck_assert_int_eq(number_after(buf_view(&metrics), "\ntally_ws_conflated_total "), EVENTS - frames);
    buf_fini(&metrics);
    peer_free(&slow);
    peer_free(&fast);
    rig_stop();
}
END_TEST

START_TEST(who_does_not_read_is_closed_and_nobody_else_notices)
{
    rig_start((struct ws_options){ .queue_bytes = 65536, .close_timeout_ms = 3000 });
    struct peer slow = peer_open(true);
    struct ws_session *to_slow = rig.last;
    struct peer fast = peer_open(false);
    struct ws_session *to_fast = rig.last;
    stuff(to_slow);
    int sent = 0;
    for (; !ws_session_is_closing(to_slow); sent++) {
        struct ws_frame *f = event((uint64_t) sent + 1, sent, 100); /* every event of another object */
        ws_session_send(to_slow, f);
        ws_session_send(to_fast, f);
        ws_frame_unref(f);
        ck_assert_uint_le(ws_session_waiting(to_slow), 65536 + 64);
        rig_until(peer_next(&fast, &first, &payload));
        ck_assert_int_eq(number_after(buf_view(&payload), "\"delta\":"), sent);
        ck_assert_int_lt(sent, 1000);
    }
    ck_assert_int_gt(sent, 200);
    do rig_until(peer_next(&slow, &first, &payload));
    while (first == 0x81);
    ck_assert_uint_eq(first, 0x88);
    ck_assert_bytes(buf_view(&payload), STR("\x11\x38too slow"));
    rig_until(rig.closed == 1); /* without an answer: by the deadline */
    ck_assert_int_eq(rig.close_code, 1006);
    ck_assert_int_eq(ws_server_count(rig.server), 1);
    ws_session_send_text(to_fast, STR("still here"));
    CHECK_TEXT(&fast, "still here");
    peer_free(&slow);
    peer_free(&fast);
    rig_stop();
}
END_TEST

/* One who never reads at all, not even the close, is gone after the deadline as well. */
START_TEST(who_never_reads_again_ends_by_the_deadline)
{
    rig_start((struct ws_options){ .queue_bytes = 65536, .close_timeout_ms = 200 });
    struct peer p = peer_open(true);
    stuff(rig.last);
    ws_session_close(rig.last, 4401, STR("token expired"));
    rig_until(rig.closed == 1);
    ck_assert_int_eq(rig.close_code, 1006);
    peer_free(&p);
    rig_stop();
}
END_TEST

START_TEST(the_fullest_go_when_all_together_hold_too_much)
{
    rig_start((struct ws_options){ .queue_bytes = 1 << 20, .queue_bytes_total = 200000, .close_timeout_ms = 100 });
    struct peer fuller = peer_open(true);
    struct ws_session *to_fuller = rig.last;
    struct peer full = peer_open(true);
    struct ws_session *to_full = rig.last;
    stuff(to_full);
    stuff(to_fuller);
    struct ws_frame *f = event(0, 0, 1000);
    while (!ws_session_is_closing(to_fuller)) {
        ws_session_send(to_fuller, f);
        rig_turn();
        ck_assert(!ws_session_is_closing(to_full));
    }
    ck_assert(!ws_session_is_closing(to_full));
    ws_frame_unref(f);
    peer_free(&full);
    peer_free(&fuller);
    rig_stop();
}
END_TEST

/* --- keeping alive ---------------------------------------------------------------------------- */

START_TEST(pings_who_is_silent_and_keeps_who_answers)
{
    rig_start((struct ws_options){ .ping_interval_ms = 200, .pong_timeout_ms = 400 });
    struct peer p = peer_open(false);
    uint64_t start = clock_mono_ms();
    for (int i = 0; i < 3; i++) {
        rig_until(peer_next(&p, &first, &payload));
        ck_assert_uint_eq(first, 0x89);
        ck_assert_uint_eq(payload.n, 0);
        peer_send_frame(&p, 0x8a, STR(""));
    }
    ck_assert_uint_ge(clock_mono_ms() - start, 3 * 200 - 1);
    ck_assert_int_eq(rig.closed, 0);
    peer_free(&p);
    rig_stop();
}
END_TEST

START_TEST(does_not_ping_who_talks)
{
    rig_start((struct ws_options){ .ping_interval_ms = 400, .pong_timeout_ms = 400 });
    struct peer p = peer_open(false);
    uint64_t end = clock_mono_ms() + 1000;
    while (clock_mono_ms() < end) {
        uint64_t next = clock_mono_ms() + 50;
        peer_send_frame(&p, 0x81, STR("x"));
        rig_until(clock_mono_ms() >= next);
    }
    ck_assert_uint_eq(peer_got(&p), 0);
    rig_until(peer_next(&p, &first, &payload));
    ck_assert_uint_eq(first, 0x89);
    peer_free(&p);
    rig_stop();
}
END_TEST

/* Never silent, never done: the message would hold memory for ever. */
START_TEST(who_trickles_a_message_is_closed)
{
    rig_start((struct ws_options){ .ping_interval_ms = 200, .pong_timeout_ms = 10000, .message_timeout_ms = 500 });
    struct peer p = peer_open(false);
    uint64_t start = clock_mono_ms();
    peer_send_frame(&p, 0x01, STR("once"));
    while (!peer_eof(&p)) {
        uint64_t next = clock_mono_ms() + 20;
        peer_send_frame(&p, 0x00, STR("x"));
        rig_until(clock_mono_ms() >= next);
        ck_assert_uint_lt(clock_mono_ms() - start, 5000);
    }
    ck_assert_uint_ge(clock_mono_ms() - start, 500);
    ck_assert_bytes(buf_view(&p.in), STR("\x88\x02\x03\xf0"));
    peer_free(&p);
    rig_until(rig.closed == 1);
    rig_stop();
}
END_TEST

START_TEST(a_half_open_peer_ends)
{
    rig_start((struct ws_options){ .ping_interval_ms = 100, .pong_timeout_ms = 200 });
    struct peer p = peer_open(false);
    uint64_t start = clock_mono_ms();
    rig_until(rig.closed == 1);
    ck_assert_uint_ge(clock_mono_ms() - start, 290);
    ck_assert_int_eq(rig.close_code, 1006);
    rig_until(peer_eof(&p));
    ck_assert_bytes(buf_view(&p.in), STR("\x89\x00"));
    peer_free(&p);
    rig_stop();
}
END_TEST

static int deadlines;

static void on_deadline(struct ws_session *s)
{
    deadlines++;
    ws_session_close(s, 4401, STR("token expired"));
}

START_TEST(the_users_deadline_comes_once)
{
    rig_start((struct ws_options){ .ping_interval_ms = 100, .pong_timeout_ms = 10000 });
    rig.handler.on_deadline = on_deadline;
    deadlines = 0;
    struct peer cleared = peer_open(false);
    ws_session_deadline(rig.last, 100);
    ws_session_deadline(rig.last, 0);
    struct peer p = peer_open(false);
    ws_session_deadline(rig.last, 10000);
    ws_session_deadline(rig.last, 300);
    uint64_t start = clock_mono_ms();
    do rig_until(peer_next(&p, &first, &payload));
    while (first == 0x89);
    ck_assert_bytes(buf_view(&payload), STR("\x11\x31token expired"));
    ck_assert_uint_ge(clock_mono_ms() - start, 299);
    ck_assert_int_eq(deadlines, 1);
    peer_free(&p);
    peer_free(&cleared);
    rig_stop();
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

START_TEST(the_users_part_is_zeroed_and_aligned)
{
    rig_start((struct ws_options){ .extra_bytes = 40 });
    struct peer p = peer_open(false);
    uint8_t zero[40] = { 0 };
    ck_assert_mem_eq(ws_session_extra(rig.last), zero, sizeof zero);
    ck_assert_uint_eq((uintptr_t) ws_session_extra(rig.last) % 8, 0);
    peer_free(&p);
    rig_stop();
}
END_TEST

static TCase *tcase_named(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

int main(void)
{
    Suite *suite = suite_create("ws_session");
    TCase *sending = tcase_named(suite, "sending"), *life = tcase_named(suite, "life");
    tcase_add_test(sending, a_turn_is_one_write);
    tcase_add_test(sending, more_than_a_write_holds_arrives_in_order);
    tcase_add_test(sending, a_burst_over_the_bound_reaches_a_reader);
    tcase_add_test(sending, a_slow_reader_gets_the_newest_state);
    tcase_add_test(sending, who_does_not_read_is_closed_and_nobody_else_notices);
    tcase_add_test(sending, who_never_reads_again_ends_by_the_deadline);
    tcase_add_test(sending, the_fullest_go_when_all_together_hold_too_much);
    tcase_add_test(life, pings_who_is_silent_and_keeps_who_answers);
    tcase_add_test(life, does_not_ping_who_talks);
    tcase_add_test(life, who_trickles_a_message_is_closed);
    tcase_add_test(life, a_half_open_peer_ends);
    tcase_add_test(life, the_users_deadline_comes_once);
    tcase_add_test(life, the_users_part_is_zeroed_and_aligned);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
