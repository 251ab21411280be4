/* HTTP connections over real sockets: limits and deadlines, clients who are slow or leave, and the draining of
 * a server that stops. */
#include "test/unit/http_conn_rig.h"

static struct client b;

/* --- limits and deadlines ----------------------------------------------------------------------- */

START_TEST(chunked_body_ends_at_its_limit)
{
    start(NULL);
    dial(&a);
    say(&a, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    char chunk[0x1000 + 8];
    memcpy(chunk, "1000\r\n", 6);
    memset(chunk + 6, 'x', 0x1000);
    memcpy(chunk + 6 + 0x1000, "\r\n", 2);
    for (int i = 0; i < 30; i++) put(&a, chunk, sizeof chunk);
    ck_assert(pump(a_is_closed, WAIT_MS));
    ck_assert_int_eq(count(&a, " 413 "), 1);
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(framing_of_a_chunked_body_has_a_limit)
{
    start(NULL);
    dial(&a);
    say(&a, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 400; i++) say(&a, "00000000000000000000000000000000000000000000000000000000000000");
    ck_assert(pump(a_is_closed, WAIT_MS));
    ck_assert_int_eq(count(&a, " 400 "), 1);
    hang_up(&a);
    stop();
}
END_TEST

static const struct { const char *name, *sent; int times; } slow[] = {
    { "a head that stops", "GET /now HTTP/1.1\r\nHo", 1 },
    { "a second head that stops", GET("/now") "GET", 1 },
    { "a body that stops", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nab", 1 },
    { "a chunked body that stops", "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n2\r\nab", 1 },
    { "nothing", "", 0 },
    { "nothing more", GET("/now"), 0 },
};

START_TEST(slow_clients_are_closed)
{
    start(NULL);
    dial(&a);
    say(&a, slow[_i].sent);
    ck_assert_msg(pump(a_is_closed, WAIT_MS), "%s", slow[_i].name);
    ck_assert_int_eq(count(&a, " 408 "), slow[_i].times);
    hang_up(&a);
    stop();
}
END_TEST

START_TEST(trickling_does_not_move_a_deadline)
{
    start(NULL);
    dial(&a);
    dial(&b);
    say(&a, "GET /now HTTP/1.1\r\nX: ");
    say(&b, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5000\r\n\r\n");
    uint64_t from = clock_mono_ms();
    while (!(a_is_closed() && (hear(&b), b.eof)) && clock_mono_ms() < from + 2000) {
        if (!a.eof) say(&a, "x");
        if (!b.eof) say(&b, "x");
        pump(never, 10);
    }
    ck_assert(a.eof && b.eof);
    ck_assert_int_eq(count(&a, " 408 "), 1);
    ck_assert_int_eq(count(&b, " 408 "), 1);
    hang_up(&a);
    hang_up(&b);
    stop();
}
END_TEST

START_TEST(reader_who_does_not_read_is_closed_and_others_are_served)
{
    start(NULL);
    dial(&b);
    for (int i = 0; i < 50; i++) say(&b, GET("/big"));
    dial(&a);
    say(&a, GET("/now"));
    ck_assert(a_hears("\r\n\r\nnow", 1));
    hang_up(&a);
    ck_assert(pump(no_conns, WAIT_MS));
    hang_up(&b);
    stop();
}
END_TEST

START_TEST(long_answer_reaches_a_slow_reader)
{
    start(NULL);
    dial(&a);
    say(&a, "GET /big HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    uint64_t from = clock_mono_ms();
    char piece[65536];
    ssize_t n = -1;
    while (n != 0 && clock_mono_ms() < from + 10000) {
        n = recv(a.fd, piece, sizeof piece, 0);
        if (n > 0) buf_put(&a.in, piece, (size_t) n);
        pump(never, 10);                     /* longer in all than the deadline for those who stand still */
    }
    ck_assert_uint_gt(a.in.n, BIG_BYTES);
    ck_assert_uint_gt(clock_mono_ms() - from, 450);
    hang_up(&a);
    stop();
}
END_TEST

/* --- leaving ------------------------------------------------------------------------------------ */

START_TEST(client_may_leave_while_its_request_is_worked_on)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") GET("/now") GET("/later"));
    await_later(2);
    struct linger reset = { 1, 0 };
    setsockopt(a.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    hang_up(&a);
    ck_assert(pump(no_conns, WAIT_MS));
    ck_assert_ptr_null(later[0]->conn);
    ck_assert_int_eq(server->requests_under_way, 2);
    answer(1, "nobody hears it");
    answer(0, "nobody hears it");
    ck_assert_int_eq(server->requests_under_way, 0);
    stop();
}
END_TEST

START_TEST(half_closed_client_is_answered_then_closed)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") GET("/now") "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\ncut");
    shutdown(a.fd, SHUT_WR);
    await_later(1);
    pump(never, 30);
    answer(0, "late");
    ck_assert(pump(a_is_closed, WAIT_MS));
    assert_order((const char *const[]){ "\r\n\r\nlate", "\r\n\r\nnow", NULL });
    ck_assert_int_eq(count(&a, "HTTP/1.1 "), 2);
    hang_up(&a);
    stop();
}
END_TEST

/* --- draining ----------------------------------------------------------------------------------- */

START_TEST(draining_answers_what_is_under_way)
{
    start(NULL);
    dial(&a);
    dial(&b);
    say(&b, GET("/now"));
    say(&a, GET("/later"));
    await_later(1);
    http_server_drain(server, 5000, on_drained, NULL);
    say(&b, GET("/now?late"));                     /* was on its way: is answered, too */
    pump(never, 100);
    ck_assert(!drained);
    hear(&b);
    ck_assert_int_eq(count(&b, "\r\n\r\nlate"), 1);
    ck_assert_int_eq(count(&b, "Connection: close"), 1);
    answer(0, "done");
    for (int i = 0; i < 20 && !a_is_closed(); i++) uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert(a.eof);                              /* told to close, so at once and not after the grace */
    ck_assert_int_eq(count(&a, "\r\n\r\ndone"), 1);
    ck_assert_int_eq(count(&a, "Connection: close"), 1);
    hang_up(&a);
    hang_up(&b);
    ck_assert(pump(is_drained, WAIT_MS));
    stop();
}
END_TEST

START_TEST(draining_says_close_with_the_last_answer_only)
{
    start(NULL);
    dial(&a);
    say(&a, GET("/later") GET("/later") GET("/later"));
    await_later(3);
    http_server_drain(server, 5000, on_drained, NULL);
    answer(1, "second");
    answer(0, "first");
    ck_assert(a_hears("\r\n\r\nsecond", 1));
    ck_assert_int_eq(count(&a, "Connection: close"), 0);
    answer(2, "third");
    ck_assert(pump(a_is_closed, WAIT_MS));
    assert_order((const char *const[]){ "\r\n\r\nfirst", "\r\n\r\nsecond", "Connection: close",
                                        "\r\n\r\nthird", NULL });
    ck_assert_int_eq(count(&a, "Connection: close"), 1);
    hang_up(&a);
    ck_assert(pump(is_drained, WAIT_MS));
    stop();
}
END_TEST

START_TEST(draining_closes_the_idle_and_gives_up_in_time)
{
    start(NULL);
    dial(&a);
    dial(&b);
    say(&a, GET("/later"));
    await_later(1);
    http_server_drain(server, 900, on_drained, NULL);
    uint64_t from = clock_mono_ms();
    while (!b.eof && clock_mono_ms() < from + 700) pump(never, 10), hear(&b);
    ck_assert(b.eof && !drained);
    ck_assert(pump(is_drained, WAIT_MS));
    hang_up(&a);
    hang_up(&b);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_deadlines");
    TCase *t = tcase_create("http_deadlines");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, chunked_body_ends_at_its_limit);
    tcase_add_test(t, framing_of_a_chunked_body_has_a_limit);
    tcase_add_loop_test(t, slow_clients_are_closed, 0, sizeof slow / sizeof *slow);
    tcase_add_test(t, trickling_does_not_move_a_deadline);
    tcase_add_test(t, reader_who_does_not_read_is_closed_and_others_are_served);
    tcase_add_test(t, long_answer_reaches_a_slow_reader);
    tcase_add_test(t, client_may_leave_while_its_request_is_worked_on);
    tcase_add_test(t, half_closed_client_is_answered_then_closed);
    tcase_add_test(t, draining_answers_what_is_under_way);
    tcase_add_test(t, draining_says_close_with_the_last_answer_only);
    tcase_add_test(t, draining_closes_the_idle_and_gives_up_in_time);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
