/* How sessions end: by either side, at every moment, in the middle of anybody's callback, and all
 * together. */
#include <sys/resource.h>

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

/* --- closing ---------------------------------------------------------------------------------- */

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
    ck_assert_bytes(buf_view(&payload), STR("\x11\x33"
                                            "forbidden"));
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
    enum moment moment = (enum moment)(_i % MOMENTS);
    enum ending ending = (enum ending)(_i / MOMENTS);
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

/* --- callbacks that close --------------------------------------------------------------------- */

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
    for (struct ws_session *s = NULL; (s = ws_server_next(rig.server, s)); visited++)
        ws_session_close(s, 1000, STR_NONE);
    ck_assert_int_eq(visited, 3);
    rig_until(rig.closed == 3);
    for (int i = 0; i < 3; i++) peer_free(&peers[i]);
    rig_stop();
}
END_TEST

/* --- draining --------------------------------------------------------------------------------- */

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

/* Twenty thousand goodbyes at once would hold the loop: five hundred a turn. */
START_TEST(drains_in_slices)
{
    enum { N = 600, SLICE = 500 };
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    drained = 0;
    rig_start((struct ws_options){ .close_timeout_ms = 100 });
    static struct peer peers[N];
    for (int i = 0; i < N; i++) peers[i] = peer_open(false);
    ws_server_drain(rig.server, 10000, on_drained, NULL);
    int told = 0, before = 0, most = 0;
    while (told < N) {
        rig_turn();
        told = rig.closed;
        for (struct ws_session *s = NULL; (s = ws_server_next(rig.server, s));) told += ws_session_is_closing(s);
        if (told - before > most) most = told - before;
        before = told;
    }
    ck_assert_int_eq(most, SLICE);
    rig_until(drained == 1);
    ck_assert_int_eq(rig.closed, N);
    for (int i = 0; i < N; i++) peer_free(&peers[i]);
    rig_stop();
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

int main(void)
{
    Suite *suite = suite_create("ws_ending");
    TCase *tcase = tcase_create("ws_ending");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, closes_behind_what_waits_and_when_the_peer_has_answered);
    tcase_add_test(tcase, a_long_reason_is_cut);
    tcase_add_loop_test(tcase, ends_at_every_moment_in_every_way, 0, MOMENTS * ENDINGS);
    tcase_add_test(tcase, who_talks_on_after_a_violation_is_not_heard);
    tcase_add_test(tcase, a_callback_may_close_itself_and_others);
    tcase_add_test(tcase, a_callback_may_free_the_server);
    tcase_add_test(tcase, visiting_all_may_close_the_visited);
    tcase_add_test(tcase, drains_with_1001);
    tcase_add_test(tcase, drains_by_force_when_time_is_up);
    tcase_add_test(tcase, drains_in_slices);
    tcase_add_test(tcase, drains_nobody_later);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
