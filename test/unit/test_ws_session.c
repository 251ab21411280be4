/* Sessions over real sockets: what leaves in which write, slow readers, pings and their absence, the ends a connection
 * can come to, and callbacks that close what the caller stands on. */
#include "test/unit/ws_rig.h"

#define CHECK_TEXT(p, text)                              \
    do {                                                 \
        rig_until(peer_next((p), &first, &payload));     \
        ck_assert_uint_eq(first, 0x81);                  \
        ck_assert_bytes(buf_view(&payload), STR(text));  \
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

static struct ws_frame *event(uint64_t key, int64_t delta, size_t fill)
{
    char *text = malloc(fill + 64);
    int n = snprintf(text, 64, "{\"key\":%d,\"delta\":%d,\"fill\":\"", (int) key, (int) delta);
    memset(text + n, 'x', fill);
    memcpy(text + n + (int) fill, "\"}", 2);
    struct ws_frame *f = ws_frame_new(WS_TEXT, (struct str){ text, (size_t) n + fill + 2 });
    const char *digits = strstr(text, "delta\":") + 7;
    f->key = key;
    f->delta = delta;
    f->delta_at = (uint32_t) (digits - text);
    f->delta_size = (uint32_t) strcspn(digits, ",");
    free(text);
    return f;
}

static int64_t number_after(struct str text, const char *name)
{
    char *at = memmem(text.p, text.n, name, strlen(name));
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

/* The frames of one turn are one write: one read gets them all, behind the head. */
START_TEST(a_turn_is_one_write)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    struct ws_frame *shared = ws_frame_new(WS_TEXT, STR("shared"));
    for (int i = 0; i < 16; i++) ws_session_send(rig.last, shared);
    ws_session_send_text(rig.last, STR("own"));
    ws_frame_unref(shared);
    ck_assert_uint_eq(ws_session_waiting(rig.last), 16 * 8 + 5);
    while (ws_session_waiting(rig.last) > 0) rig_turn();
    char bytes[1024];
    ck_assert_int_eq(read(p.fd, bytes, sizeof bytes), 16 * 8 + 5);
    ck_assert_mem_eq(bytes + 15 * 8, "\x81\x06shared\x81\x03own", 13);
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

/* Nothing is given up that the kernel would have taken: a burst far over the bound reaches who reads. */
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

/* Fills the kernel's buffers until something waits in the session. */
static void stuff(struct ws_session *s)
{
    struct ws_frame *f = event(0, 0, 4000);
    while (ws_session_waiting(s) < 8192) {
        ws_session_send(s, f);
        rig_turn();
    }
    ws_frame_unref(f);
}

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
        int64_t key = number_after(buf_view(&payload), "\"key\":"), n = number_after(buf_view(&payload), "conflated\":");
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
    ck_assert_int_eq(last_fill, KEYS);     /* the newest event is the last to come */
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
        struct ws_frame *f = event((uint64_t) sent + 1, sent, 100);    /* every event of another object */
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
    rig_until(rig.closed == 1);                        /* without an answer: by the deadline */
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

/* --- keeping alive ------------------------------------------------------------------------------------ */

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

/* --- closing -------------------------------------------------------------------------------------------- */

START_TEST(closes_behind_what_waits_and_when_the_peer_has_answered)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    ws_session_send_text(rig.last, STR("last words"));
    ws_session_close(rig.last, 4403, STR("forbidden"));
    ck_assert(ws_session_is_closing(rig.last));
    ws_session_send_text(rig.last, STR("too late"));
    ws_session_close(rig.last, 1000, STR("twice"));
    CHECK_TEXT(&p, "last words");
    rig_until(peer_next(&p, &first, &payload));
    ck_assert_uint_eq(first, 0x88);
    ck_assert_bytes(buf_view(&payload), STR("\x11\x33""forbidden"));
    peer_send_frame(&p, 0x81, STR("crossed the close"));
    peer_send_frame(&p, 0x89, STR(""));
    ck_assert_int_eq(rig.closed, 0);
    peer_send_frame(&p, 0x88, STR("\x11\x33"));
    rig_until(peer_eof(&p));
    ck_assert_uint_eq(p.in.n, 0);
    peer_free(&p);
    rig_until(rig.closed == 1);
    ck_assert_int_eq(rig.close_code, 4403);
    ck_assert_uint_eq(rig.texts.n, 0);
    rig_stop();
}
END_TEST

/* A reason longer than a control frame holds is cut between two characters. */
START_TEST(a_long_reason_is_cut)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    char reason[201];
    memset(reason, 'r', sizeof reason);
    memcpy(reason + 121, "\xe2\x82\xac", 3);
    ws_session_close(rig.last, 4400, (struct str){ reason, sizeof reason });
    rig_until(peer_next(&p, &first, &payload));
    ck_assert_uint_eq(payload.n, 2 + 121);
    peer_free(&p);
    rig_stop();
}
END_TEST

enum moment { IDLE, IN_HEADER, IN_PAYLOAD, BETWEEN_FRAGMENTS, WITH_OUTPUT, CLOGGED, CLOSING, MOMENTS };

static void bring_to(enum moment moment, struct peer *p)
{
    size_t had = rig.texts.n;
    if (moment == IN_HEADER) peer_send(p, STR("\x81"));
    if (moment == IN_PAYLOAD) peer_send(p, STR("\x81\x85mmmmab"));
    if (moment == BETWEEN_FRAGMENTS) peer_send_frame(p, 0x01, STR("half"));
    if (moment == WITH_OUTPUT) ws_session_send_text(rig.last, STR("unsent"));
    if (moment == CLOGGED) stuff(rig.last);
    if (moment == CLOSING) ws_session_close(rig.last, 1000, STR_NONE);
    for (int i = 0; i < 5 && moment != WITH_OUTPUT; i++) rig_turn();
    ck_assert_uint_eq(rig.texts.n, had);
}

enum ending { RESET, FIN, CLOSED_BY_US, SERVER_FREED, ENDINGS };

/* Every ending at every moment: on_close comes once, and ASan finds nothing. */
START_TEST(ends_at_every_moment_in_every_way)
{
    enum moment moment = (enum moment) (_i % MOMENTS);
    enum ending ending = (enum ending) (_i / MOMENTS);
    rig_start((struct ws_options){ .close_timeout_ms = 100 });
    struct peer p = peer_open(moment == CLOGGED);
    bring_to(moment, &p);
    if (ending == RESET) {
        struct linger hard = { .l_onoff = 1 };
        setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(p.fd);
        p.fd = -1;
    } else if (ending == FIN) {
        shutdown(p.fd, SHUT_WR);
    } else if (ending == CLOSED_BY_US) {
        ws_session_close(rig.last, 1000, STR_NONE);
    } else {
        metrics_fini(&rig.metrics);
        metrics_init(&rig.metrics);
        ws_server_free(rig.server);
        rig.server = NULL;
    }
    rig_until(rig.closed == 1);
    ck_assert_int_eq(rig.close_code, 1006);
    peer_free(&p);
    rig_stop();
    ck_assert_int_eq(rig.closed, 1);
}
END_TEST

START_TEST(who_talks_on_after_a_violation_is_not_heard)
{
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    peer_send(&p, STR("\x83\x80mmmm"));
    peer_send_frame(&p, 0x81, STR("hello?"));
    rig_until(peer_eof(&p));
    for (int i = 0; i < 20; i++) peer_send_frame(&p, 0x81, STR("hello?"));
    ck_assert_bytes(buf_view(&p.in), STR("\x88\x02\x03\xea"));
    ck_assert_uint_eq(rig.texts.n, 0);
    peer_free(&p);
    rig_until(rig.closed == 1);
    rig_stop();
}
END_TEST

/* --- callbacks that close ----------------------------------------------------------------------------------- */

static struct ws_session *other;

static void close_both(struct ws_session *s, struct str text)
{
    rig_text(s, text);
    ws_session_close(other, 4001, STR_NONE);
    ws_session_close(s, 4000, STR_NONE);
    ws_session_send_text(s, STR("not any more"));
}

START_TEST(a_callback_may_close_itself_and_others)
{
    rig_start((struct ws_options){ .close_timeout_ms = 100 });
    rig.handler.on_text = close_both;
    struct peer a = peer_open(false);
    other = rig.last;
    struct peer b = peer_open(false);
    struct buf two;
    buf_init(&two, 1024);
    put_frame(&two, 0x81, STR("one"));
    put_frame(&two, 0x81, STR("two"));
    peer_send(&b, buf_view(&two));
    rig_until(rig.closed == 2);
    ck_assert_bytes(buf_view(&rig.texts), STR("one|"));
    ck_assert_uint_eq(peer_got(&a), 4);
    ck_assert_bytes(buf_view(&a.in), STR("\x88\x02\x0f\xa1"));
    ck_assert_uint_eq(peer_got(&b), 4);
    ck_assert_bytes(buf_view(&b.in), STR("\x88\x02\x0f\xa0"));
    buf_fini(&two);
    peer_free(&a);
    peer_free(&b);
    rig_stop();
}
END_TEST

static void free_server(struct ws_session *s, struct str text)
{
    rig_text(s, text);
    metrics_fini(&rig.metrics);
    metrics_init(&rig.metrics);
    ws_server_free(rig.server);
    rig.server = NULL;
}

START_TEST(a_callback_may_free_the_server)
{
    rig_start((struct ws_options){ 0 });
    rig.handler.on_text = free_server;
    struct peer a = peer_open(false), b = peer_open(false);
    struct buf two;
    buf_init(&two, 1024);
    put_frame(&two, 0x81, STR("one"));
    put_frame(&two, 0x81, STR("two"));
    peer_send(&b, buf_view(&two));
    rig_until(rig.closed == 2);
    ck_assert_bytes(buf_view(&rig.texts), STR("one|"));
    buf_fini(&two);
    peer_free(&a);
    peer_free(&b);
    rig_stop();
}
END_TEST

START_TEST(visiting_all_may_close_the_visited)
{
    rig_start((struct ws_options){ .close_timeout_ms = 100 });
    struct peer peers[3];
    for (int i = 0; i < 3; i++) peers[i] = peer_open(false);
    int visited = 0;
    for (struct ws_session *s = NULL; (s = ws_server_next(rig.server, s)); visited++) ws_session_close(s, 1000, STR_NONE);
    ck_assert_int_eq(visited, 3);
    rig_until(rig.closed == 3);
    for (int i = 0; i < 3; i++) peer_free(&peers[i]);
    rig_stop();
}
END_TEST

/* --- draining ------------------------------------------------------------------------------------------------ */

static int drained;

static void on_drained(void *arg)
{
    (void) arg;
    drained++;
}

START_TEST(drains_with_1001)
{
    enum { N = 20 };
    drained = 0;
    rig_start((struct ws_options){ 0 });
    struct peer peers[N];
    for (int i = 0; i < N; i++) peers[i] = peer_open(false);
    ws_server_drain(rig.server, 10000, on_drained, NULL);
    ck_assert_int_eq(drained, 0);
    for (int i = 0; i < N; i++) {
        rig_until(peer_next(&peers[i], &first, &payload));
        ck_assert_bytes(buf_view(&payload), STR("\x03\xe9server going away"));
        peer_send_frame(&peers[i], 0x88, STR("\x03\xe9"));
        ck_assert_int_eq(drained, 0);
        rig_until(peer_eof(&peers[i]));
        peer_free(&peers[i]);
    }
    rig_until(drained == 1);
    ck_assert_int_eq(rig.closed, N);
    ck_assert_int_eq(rig.close_code, 1001);
    struct peer late = peer_open(false);
    rig_until(peer_next(&late, &first, &payload));
    ck_assert_bytes(buf_view(&payload), STR("\x03\xe9server going away"));
    peer_free(&late);
    rig_until(rig.closed == N + 1);
    ck_assert_int_eq(drained, 1);
    rig_stop();
}
END_TEST

START_TEST(drains_by_force_when_time_is_up)
{
    drained = 0;
    rig_start((struct ws_options){ 0 });
    struct peer p = peer_open(false);
    ws_server_drain(rig.server, 100, on_drained, NULL);
    uint64_t start = clock_mono_ms();
    rig_until(drained == 1);
    ck_assert_uint_ge(clock_mono_ms() - start, 95);
    ck_assert_uint_lt(clock_mono_ms() - start, 4000);
    rig_until(rig.closed == 1);
    peer_free(&p);
    rig_stop();
    ck_assert_int_eq(drained, 1);
}
END_TEST

START_TEST(drains_nobody_later)
{
    drained = 0;
    rig_start((struct ws_options){ 0 });
    ws_server_drain(rig.server, 10000, on_drained, NULL);
    ck_assert_int_eq(drained, 0);
    rig_until(drained == 1);
    rig_stop();
}
END_TEST

/* --- memory -------------------------------------------------------------------------------------------------- */

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
    tcase_add_test(life, a_half_open_peer_ends);
    tcase_add_test(life, the_users_deadline_comes_once);
    tcase_add_test(life, closes_behind_what_waits_and_when_the_peer_has_answered);
    tcase_add_test(life, a_long_reason_is_cut);
    tcase_add_loop_test(life, ends_at_every_moment_in_every_way, 0, MOMENTS * ENDINGS);
    tcase_add_test(life, who_talks_on_after_a_violation_is_not_heard);
    tcase_add_test(life, a_callback_may_close_itself_and_others);
    tcase_add_test(life, a_callback_may_free_the_server);
    tcase_add_test(life, visiting_all_may_close_the_visited);
    tcase_add_test(life, drains_with_1001);
    tcase_add_test(life, drains_by_force_when_time_is_up);
    tcase_add_test(life, drains_nobody_later);
    tcase_add_test(life, the_users_part_is_zeroed_and_aligned);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
