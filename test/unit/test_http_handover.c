/* Requests that belong to another process: two servers on one loop, each with its own door, and clients that speak to
 * the first. What is asked of the second is answered by the second, over the client's one connection; what the second
 * does not take is answered by the first. */
#include "core/handover.h"
#include "test/unit/http_conn_rig.h"

enum { SERVERS = 2 };

static struct handover_boxes boxes;
static struct http_server *servers[SERVERS];
static int wanted_conns;
static struct http_request *kept;

static int index_of(const struct http_request *req)
{
    return (int) (intptr_t) http_context(req);
}

static void refused(struct http_request *req)
{
    reply_body(req, 400, STR("text/plain"), STR("unknown"));
}

/* /at?w=1: worker 1 answers, with its number, the address it sees, and the body; ?keep: when it is told to. */
static void run_at(struct http_request *req)
{
    int64_t worker = 0;
    str_to_i64(request_query(req, STR("w")), &worker);
    if (worker != index_of(req)) {
        if (request_hand_over(req, (int) worker, refused) != OK) refused(req);
    } else if (request_query(req, STR("keep")).p) {
        kept = req;
    } else {
        reply_text(
            req, arena_printf(&req->arena, "<%d %.*s %.*s>", index_of(req), STR_FMT(req->remote), STR_FMT(req->body)));
    }
}

static void run_up_at(struct http_request *req)
{
    if (index_of(req) == 0 && request_hand_over(req, 1, refused) == OK) return;
    run_upgrade(req);
}

static const struct endpoint crossing[] = {
    { .id = "AT",
      .method = HTTP_GET,
      .path = "/at",
      .run = run_at,
      .flags = ENDPOINT_UPGRADE,
      .summary = "",
      .reply = "{}" },
    { .id = "AT-POST",
      .method = HTTP_POST,
      .path = "/at",
      .run = run_at,
      .body_max = 1000000,
      .flags = ENDPOINT_UPGRADE | ENDPOINT_BODY_IGNORED,
      .summary = "",
      .reply = "{}" },
    { .id = "UP-AT",
      .method = HTTP_GET,
      .path = "/up-at",
      .run = run_up_at,
      .flags = ENDPOINT_UPGRADE,
      .summary = "",
      .reply = "{}" },
    { .id = "LATE", .method = HTTP_GET, .path = "/late", .run = run_later, .summary = "", .reply = "{}" },
    { .id = "MUCH", .method = HTTP_GET, .path = "/much", .run = run_big, .summary = "", .reply = "{}" },
    { 0 },
};

static struct http_server *serve(int i)
{
    static const struct endpoint *const tables[] = { crossing, NULL };
    const char *fault = NULL;
    const struct net_listener_options at = { .host = "127.0.0.1" };
    struct http_server *s = http_server_new(
        &loop, &turn, wheel, NULL,
        &(struct http_options){ .tables = tables, .title = "", .version = "", .context = (void *) (intptr_t) i });
    ck_assert_msg(http_server_listen(s, &at, &fault) == OK, "%s", fault);
    http_server_join(s, &boxes, i);
    return s;
}

static void begin(int count)
{
    start(NULL);
    must(handover_boxes_open(&boxes, SERVERS));
    kept = NULL;
    for (int i = 0; i < SERVERS; i++) servers[i] = i < count ? serve(i) : NULL;
    struct http_server *rig = server;
    server = servers[0]; /* whom the rig's clients dial */
    dial(&a);
    server = rig;
}

static bool are_as_many(void)
{
    return servers[0]->conn_count + (servers[1] ? servers[1]->conn_count : 0) == wanted_conns;
}

static void end(void)
{
    for (int i = 0; i < SERVERS; i++) {
        if (!servers[i]) continue;
        if (upgraded && !upgraded_closed) net_close(upgraded);
        http_conn_close_all(servers[i]);
    }
    pump(never, 20);
    for (int i = 0; i < SERVERS; i++) {
        if (servers[i]) ck_assert_int_eq(servers[i]->requests_under_way, 0);
        http_server_free(servers[i]);
    }
    hang_up(&a);
    pump(never, 20);
    handover_boxes_close(&boxes);
    stop();
}

START_TEST(request_is_answered_where_it_belongs)
{
    begin(2);
    say(&a, GET("/at?w=1"));
    ck_assert(a_hears("<1 127.0.0.1 >", 1));
    wanted_conns = 1;
    ck_assert(pump(are_as_many, WAIT_MS)); /* the first server's copy is closed when it has heard "taken" */
    ck_assert_int_eq(servers[1]->conn_count, 1);
    say(&a, GET("/at?w=1")); /* it stays there */
    ck_assert(a_hears("<1 127.0.0.1 >", 2));
    say(&a, GET("/at?w=0")); /* and is handed over again for what belongs elsewhere */
    ck_assert(a_hears("<0 127.0.0.1 >", 1));
    ck_assert(pump(are_as_many, WAIT_MS));
    ck_assert_int_eq(servers[0]->conn_count, 1);
    ck_assert_int_eq(count(&a, "HTTP/1.1 200"), 3);
    end();
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order_wherever)
{
    begin(2);
    say(&a, GET("/late") GET("/at?w=1") GET("/at?w=0") GET("/at?w=1"));
    await_later(1);
    answer(0, "first");
    ck_assert(a_hears("HTTP/1.1 200", 4));
    assert_order((const char *const[]){ "first", "<1 ", "<0 ", "<1 ", NULL });
    end();
}
END_TEST

static void say_body(const char *head, size_t n)
{
    char *body = malloc(n);
    memset(body, 'x', n);
    say(&a, head);
    put(&a, body, n);
    free(body);
}

START_TEST(body_comes_along)
{
    begin(2);
    if (_i == 0) say(&a, "POST /at?w=1 HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello");
    if (_i == 1)
        say(&a, "POST /at?w=1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    if (_i == 2) say(&a, "POST /at?w=1 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    if (_i == 3) say_body("POST /at?w=1 HTTP/1.1\r\n" HOST "Content-Length: 900000\r\n\r\n", 900000);
    if (_i < 2) ck_assert(a_hears("<1 127.0.0.1 hello>", 1));
    if (_i == 2) ck_assert(a_hears("<1 127.0.0.1 >", 1));
    if (_i == 3) {
        ck_assert(a_hears("x>", 1));
        ck_assert_uint_gt(a.in.n, 900000);
    }
    say(&a, GET("/at?w=1")); /* nothing of the body is left over */
    ck_assert(a_hears("HTTP/1.1 200", 2));
    end();
}
END_TEST

static bool a_has_much(void)
{
    hear(&a);
    return a.in.n > BIG_BYTES;
}

/* What was answered before is on its way to a client that reads slowly: the descriptor must not go ahead of it. */
START_TEST(earlier_answers_are_written_first)
{
    begin(2);
    int small = 65536;
    setsockopt(a.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(&a, GET("/much") GET("/at?w=1"));
    pump(never, 50);
    ck_assert_int_eq(servers[0]->conn_count, 1);
    ck_assert(pump(a_has_much, WAIT_MS));
    ck_assert(a_hears("<1 ", 1));
    assert_order((const char *const[]){ "bbbb", "<1 ", NULL });
    end();
}
END_TEST

START_TEST(handed_over_request_is_answered_where_it_arrived)
{
    begin(2);
    say(&a, GET("/at?w=7")); /* nobody's */
    ck_assert(a_hears("HTTP/1.1 400", 1));
    say(&a, GET("/at?w=1"));
    ck_assert(a_hears("<1 ", 1));
    /* /up-at is always handed over by 0, and never back by 1: 1 takes it. */
    say(&a, GET("/at?w=0"));
    ck_assert(a_hears("<0 ", 1));
    say(&a, GET("/up-at") "more");
    ck_assert(a_hears("101!", 1));
    ck_assert(str_eq(buf_view(&upgraded_input), STR("more")));
    wanted_conns = 0;
    ck_assert(pump(are_as_many, WAIT_MS));
    end();
}
END_TEST

START_TEST(dead_process_is_answered_for)
{
    begin(1);
    say(&a, GET("/at?w=1") GET("/at?w=0"));
    ck_assert(a_hears("HTTP/1.1 400", 1));
    ck_assert(a_hears("<0 ", 1)); /* the connection goes on */
    assert_order((const char *const[]){ "unknown", "<0 ", NULL });
    end();
}
END_TEST

START_TEST(draining_process_takes_nothing)
{
    begin(2);
    http_server_drain(servers[1], 1000, on_drained, NULL);
    say(&a, GET("/at?w=1"));
    ck_assert(a_hears("HTTP/1.1 400", 1));
    end();
}
END_TEST

/* The client goes while its request is on the way: whoever holds it notices, and nothing is left. */
START_TEST(client_that_goes_away_meanwhile)
{
    begin(_i);
    say(&a, GET("/at?w=1&keep=1"));
    for (int i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
    shutdown(a.fd, SHUT_RDWR);
    close(a.fd);
    a.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (_i == 2) {
        pump(never, 20);
        ck_assert_ptr_nonnull(kept);
        refused(kept);
    }
    wanted_conns = 0;
    ck_assert(pump(are_as_many, WAIT_MS));
    end();
}
END_TEST

START_TEST(server_that_ends_meanwhile)
{
    begin(1);
    say(&a, GET("/at?w=1"));
    pump(never, 20);
    http_server_free(servers[0]); /* the rest is end()'s, and the sanitizer's */
    servers[0] = NULL;
    servers[1] = serve(1); /* finds the connection in its inbox, and nobody to say "taken" to */
    ck_assert(pump(a_is_closed, WAIT_MS));
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_handover");
    TCase *t = tcase_create("http_handover");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, request_is_answered_where_it_belongs);
    tcase_add_test(t, pipelined_requests_are_answered_in_order_wherever);
    tcase_add_loop_test(t, body_comes_along, 0, 4);
    tcase_add_test(t, earlier_answers_are_written_first);
    tcase_add_test(t, handed_over_request_is_answered_where_it_arrived);
    tcase_add_test(t, dead_process_is_answered_for);
    tcase_add_test(t, draining_process_takes_nothing);
    tcase_add_loop_test(t, client_that_goes_away_meanwhile, 1, 3);
    tcase_add_test(t, server_that_ends_meanwhile);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
