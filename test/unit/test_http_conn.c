/* HTTP connections over real sockets: requests, however they are sent and cut, and their answers; what keeps a
 * connection and what ends it; upgrades; who asks. */
#include "test/unit/http_conn_rig.h"

/* --- order and keeping alive -------------------------------------------------------------------- */

START_TEST(answers_come_in_the_order_of_the_requests)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") GET("/now?two") GET("/later") GET("/now?four"));
    await_later(2);
    answer(1, "three");
    pump(never, 20);
    hear(&a);
    ck_assert_uint_eq(a.in.n, 0);
    answer(0, "one");
    ck_assert(a_hears("\r\n\r\nfour", 1));
    assert_order((const char *const[]){ "\r\n\r\none", "\r\n\r\ntwo", "\r\n\r\nthree", "\r\n\r\nfour", NULL });
    ck_assert(!a.eof);
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(answers_of_one_turn_leave_in_one_write)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/now?1") GET("/now?2") GET("/now?3"));
    pump(never, 20);
    char all[4096];
    ssize_t n = recv(a.fd, all, sizeof all, MSG_PEEK);
    a.in.n = 0;
    buf_put(&a.in, all, (size_t) n);
    ck_assert_int_eq(count(&a, "HTTP/1.1 200"), 3);
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(hundreds_of_requests_wait_their_turn)
{
    start(NULL);
    dial(&a);
    for (int i = 0; i < 200; i++) say(&a, GET("/later"));
    pump(never, 30);
    ck_assert_int_eq(later_count, HTTP_PIPELINE_MAX);          /* the rest is not even read */
    for (int done = 0; done < 200; done++) {
        await_later(1);
        answer(0, "x");
    }
    ck_assert(a_hears("HTTP/1.1 200", 200));
    hang_up(&a);
    stop();
}
END_TEST

static const struct { const char *name, *request; bool stays; const char *has; } lives[] = {
    { "1.1", "GET /now HTTP/1.1\r\n" HOST "\r\n", true, "200 OK" },
    { "1.1 close", "GET /now HTTP/1.1\r\n" HOST "Connection: x, close\r\n\r\n", false, "Connection: close" },
    { "1.0", "GET /now HTTP/1.0\r\n\r\n", false, "Connection: close" },
    { "1.0 kept", "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true, "Connection: keep-alive" },
    { "unknown path", GET("/nowhere"), true, " 404 " },
    { "small body of a refused request", "PUT /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", true, " 405 " },
    { "chunked body of a refused request", "PUT /now HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n", false, " 405 " },
    { "awaited body of a refused request", "PUT /now HTTP/1.1\r\n" HOST "Content-Length: 3\r\n"
      "Expect: 100-continue\r\n\r\n", false, " 405 " },
    { "no request", "nonsense\r\n\r\n", false, " 400 " },
    { "smuggled length", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      false, " 400 " },
    { "too long", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100001\r\n\r\n", false, " 413 " },
    { "long enough to be skipped, not to be read", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\n",
      false, " 413 " },
    { "broken chunk", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", false, " 400 " },
    { "trailer", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", false, " 400 " },
    { "chunk extension", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;a\r\nx\r\n0\r\n\r\n",
      false, " 400 " },
};

START_TEST(connection_lives_on_or_ends)
{
    start(NULL);
    dial(&a);
    say(&a, lives[_i].request);
    ck_assert_msg(a_hears(lives[_i].has, 1), "%s: %.*s", lives[_i].name, STR_FMT(buf_view(&a.in)));
    if (lives[_i].stays) {
        say(&a, GET("/now?again"));
        ck_assert_msg(a_hears("\r\n\r\nagain", 1), "%s", lives[_i].name);
    } else {
        ck_assert_msg(pump(a_is_closed, 500), "%s stays open", lives[_i].name);
        ck_assert_int_eq(count(&a, "HTTP/1.1 "), 1);
        ck_assert_int_eq(count(&a, "Connection: close"), 1);
    }
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(error_is_answered_after_the_answers_before_it)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") "nonsense\r\n\r\n" GET("/now?never"));
    await_later(1);
    answer(0, "one");
    ck_assert(pump(a_is_closed, WAIT_MS));
    assert_order((const char *const[]){ "\r\n\r\none", " 400 ", NULL });
    ck_assert_int_eq(count(&a, "HTTP/1.1 "), 2);
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(continue_is_said_when_its_turn_has_come)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") "POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    await_later(1);
    pump(never, 20);
    ck_assert_int_eq(count(&a, "100 Continue"), 0);
    answer(0, "late");
    ck_assert(a_hears("HTTP/1.1 100 Continue\r\n\r\n", 1));
    say(&a, "hello");
    ck_assert(a_hears("\r\n\r\nhello", 1));
    assert_order((const char *const[]){ "\r\n\r\nlate", "100 Continue", "\r\n\r\nhello", NULL });
    hang_up(&a);
    stop();
}
END_TEST

/* --- cutting ------------------------------------------------------------------------------------ */

static const char conversation[] =
    "POST /echo HTTP/1.1\r\n" HOST "X-Request-Id: a\r\nContent-Length: 5\r\n\r\nhello"
    "POST /echo HTTP/1.1\r\n" HOST "X-Request-Id: b\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nwor\r\n2\r\nld\r\n0\r\n\r\n"
    "PUT /now HTTP/1.1\r\n" HOST "X-Request-Id: c\r\nContent-Length: 4\r\n\r\nskip"
    "GET /now/?x HTTP/1.1\r\n" HOST "X-Request-Id: d\r\n\r\n"
    "HEAD /now HTTP/1.1\r\n" HOST "X-Request-Id: e\r\n\r\n"
    "GET /now?end HTTP/1.1\r\n" HOST "X-Request-Id: f\r\nConnection: close\r\n\r\n";

/* Dates are blotted out. */
static struct str converse(size_t cut, bool each_byte)
{
    dial(&a);
    if (each_byte) {
        for (size_t i = 0; i < sizeof conversation - 1; i++) {
            put(&a, conversation + i, 1);
            uv_run(&loop, UV_RUN_NOWAIT);
        }
    } else {
        put(&a, conversation, cut);
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_run(&loop, UV_RUN_NOWAIT);
        put(&a, conversation + cut, sizeof conversation - 1 - cut);
    }
    ck_assert(pump(a_is_closed, WAIT_MS));
    char *p = a.in.p, *end = p + a.in.n;
    while ((p = memmem(p, (size_t) (end - p), "Date: ", 6))) memset(p, 'D', 35), p += 35;
    char *copy = malloc(a.in.n);
    memcpy(copy, a.in.p, a.in.n);
    struct str s = { copy, a.in.n };
    hang_up(&a);
    return s;
}

START_TEST(same_answers_however_the_bytes_are_cut)
{
    start(NULL);
    struct str whole = converse(sizeof conversation - 1, false);
    struct str bytes = converse(0, true);
    ck_assert(memmem(whole.p, whole.n, "\r\n\r\nworld", 9) && memmem(whole.p, whole.n, "\r\n\r\nend", 7));
    ck_assert(str_eq(whole, bytes));
    for (size_t cut = 1; cut < sizeof conversation - 1; cut++) {
        struct str s = converse(cut, false);
        ck_assert_msg(str_eq(whole, s), "cut at %zu", cut);
        free((char *) s.p);
    }
    free((char *) whole.p);
    free((char *) bytes.p);
    stop();
}
END_TEST

/* --- upgrades ----------------------------------------------------------------------------------- */

static bool upgrade_has_heard(void)
{
    return str_eq(buf_view(&upgraded_input), STR("rest and more"));
}

START_TEST(upgrade_takes_the_connection_and_what_follows)
{
    start(NULL);
    dial(&a);
    say(&a, _i ? GET("/later") GET("/up") "rest" : GET("/up") "rest");
    if (_i) {
        await_later(1);
        pump(never, 20);
        ck_assert_ptr_null(upgraded);
        answer(0, "first");
    }
    ck_assert(a_hears("101!", 1));
    if (_i) assert_order((const char *const[]){ "\r\n\r\nfirst", "101!", NULL });
    ck_assert_int_eq(server->conn_count, 0);
    say(&a, " and more");
    ck_assert(pump(upgrade_has_heard, WAIT_MS));
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(upgrade_learns_of_the_half_close_that_came_before_it)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") GET("/up"));
    await_later(1);
    shutdown(a.fd, SHUT_WR);
    pump(never, 20);
    answer(0, "first");
    ck_assert(pump(a_is_closed, WAIT_MS));
    ck_assert_int_eq(count(&a, "101!"), 1);
    hang_up(&a);
    stop();
}
END_TEST

/* --- clients that have gone --------------------------------------------------------------------- */

/* The client goes away while its request is worked on: `stop` must wait for the handler. */
static void leave_behind(int n)
{
    for (int i = 0; i < n; i++) {
        dial(&a);
        say(&a, GET("/later"));
        await_later(i + 1);
        hang_up(&a);
    }
    ck_assert(pump(no_conns, WAIT_MS));
    ck_assert_int_eq(server->requests_under_way, n);
}

START_TEST(settling_waits_for_the_handlers_of_clients_that_have_gone)
{
    start(NULL);
    leave_behind(3);
    http_server_settle(server, 60000, on_settled_seen, NULL);
    while (later_count > 0) {
        pump(never, 5);
        ck_assert(!settled);
        answer(0, "nobody hears it");
        ck_assert(!settled);             /* never from inside an answer */
    }
    ck_assert(pump(is_settled, WAIT_MS));
    stop();
}
END_TEST

START_TEST(settling_with_nobody_at_work_is_done_at_the_end_of_the_turn)
{
    start(NULL);
    http_server_settle(server, 60000, on_settled_seen, NULL);
    ck_assert(!settled);
    ck_assert(pump(is_settled, WAIT_MS));
    stop();
}
END_TEST

START_TEST(settling_does_not_wait_for_ever)
{
    start(NULL);
    leave_behind(1);
    http_server_settle(server, 100, on_settled_seen, NULL);
    ck_assert(pump(is_settled, WAIT_MS));
    ck_assert_int_eq(server->requests_under_way, 1);
    answer(0, "late");
    stop();
}
END_TEST

/* --- who asks ----------------------------------------------------------------------------------- */

static const char *const proxies[] = { "127.0.0.1", "10.0.0.1", NULL };

static const struct { bool trusted; const char *headers, *answer; } askers[] = {
    { false, "X-Forwarded-For: 1.2.3.4\r\nX-Request-Id: id\r\n", "\r\n\r\n127.0.0.1 id" },
    { true, "X-Request-Id: id\r\n", "\r\n\r\n127.0.0.1 id" },
    { true, "X-Forwarded-For: 1.2.3.4\r\nX-Request-Id: A.b_c-9\r\n", "\r\n\r\n1.2.3.4 A.b_c-9" },
    { true, "X-Forwarded-For: 6.6.6.6, 1.2.3.4,10.0.0.1\r\nX-Request-Id: id\r\n", "\r\n\r\n1.2.3.4 id" },
    { true, "X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 2001:db8::1\r\nX-Request-Id: id\r\n",
      "\r\n\r\n2001:db8::1 id" },
    { true, "X-Forwarded-For: 1.2.3.4, nonsense\r\nX-Request-Id: id\r\n", "\r\n\r\n127.0.0.1 id" },
    { true, "X-Forwarded-For: nonsense, 10.0.0.1\r\nX-Request-Id: id\r\n", "\r\n\r\n10.0.0.1 id" },
};

START_TEST(address_and_id_are_believed_within_reason)
{
    start(askers[_i].trusted ? proxies : NULL);
    dial(&a);
    say(&a, "GET /who HTTP/1.1\r\n" HOST);
    say(&a, askers[_i].headers);
    say(&a, "\r\n");
    ck_assert_msg(a_hears(askers[_i].answer, 1), "%d: %.*s", _i, STR_FMT(buf_view(&a.in)));
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(malformed_request_ids_are_replaced)
{
    static const char *const ids[] = {
        "a b", "\xc3\xa4", "", "<>",
        "12345678901234567890123456789012345678901234567890123456789012345",
    };
    start(NULL);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        dial(&a);
        say(&a, "GET /who HTTP/1.1\r\n" HOST "X-Request-Id: ");
        say(&a, ids[i]);
        say(&a, "\r\n\r\n");
        ck_assert(a_hears("\r\n\r\n127.0.0.1 ", 1));
        const char *id = (const char *) memmem(a.in.p, a.in.n, "\r\n\r\n127.0.0.1 ", 14) + 14;
        ck_assert_int_eq(a.in.p + a.in.n - id, 16);
        for (int k = 0; k < 16; k++) ck_assert(strchr("0123456789abcdef", id[k]));
        hang_up(&a);
    }
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_conn");
    TCase *t = tcase_create("http_conn");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, answers_come_in_the_order_of_the_requests);
    tcase_add_test(t, answers_of_one_turn_leave_in_one_write);
    tcase_add_test(t, hundreds_of_requests_wait_their_turn);
    tcase_add_loop_test(t, connection_lives_on_or_ends, 0, sizeof lives / sizeof *lives);
    tcase_add_test(t, error_is_answered_after_the_answers_before_it);
    tcase_add_test(t, continue_is_said_when_its_turn_has_come);
    tcase_add_test(t, same_answers_however_the_bytes_are_cut);
    tcase_add_loop_test(t, upgrade_takes_the_connection_and_what_follows, 0, 2);
    tcase_add_test(t, upgrade_learns_of_the_half_close_that_came_before_it);
    tcase_add_test(t, settling_waits_for_the_handlers_of_clients_that_have_gone);
    tcase_add_test(t, settling_with_nobody_at_work_is_done_at_the_end_of_the_turn);
    tcase_add_test(t, settling_does_not_wait_for_ever);
    tcase_add_loop_test(t, address_and_id_are_believed_within_reason, 0, sizeof askers / sizeof *askers);
    tcase_add_test(t, malformed_request_ids_are_replaced);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
