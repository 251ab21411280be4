/* Outbound calls against a bare socket server on the same loop: bounds, ends, and which end means what. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/curl_loop.h"
#include "core/mem.h"
#include "core/must.h"
#include "core/outbound.h"

enum { PEERS_MAX = 64 };

static uv_loop_t loop;
static uv_tcp_t door;
static uv_tcp_t *peers[PEERS_MAX];
static int peer_count, request_count, port;
static const char *says;          /* NULL: takes the request and says nothing */
static struct outbound *outbound;

struct asked {
    struct outbound_call call;
    int ends;
    enum err err;
    char text[64];
};

static void on_closed_peer(uv_handle_t *handle)
{
    mem_free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *room)
{
    static char bytes[65536];
    (void) handle;
    (void) size;
    *room = uv_buf_init(bytes, sizeof bytes);
}

static void on_written(uv_write_t *write, int status)
{
    (void) status;
    mem_free(write);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *room)
{
    (void) room;
    if (n > 0) request_count++;
    if (n <= 0 || !says) return;
    uv_buf_t out = uv_buf_init((char *) says, (unsigned) strlen(says));
    uv_write_t *write = mem_new(uv_write_t);
    uv_write(write, stream, &out, 1, on_written);
}

static void on_peer(uv_stream_t *stream, int status)
{
    must(status == 0 && peer_count < PEERS_MAX);
    uv_tcp_t *peer = mem_new(uv_tcp_t);
    uv_tcp_init(&loop, peer);
    must(uv_accept(stream, (uv_stream_t *) peer) == 0);
    uv_read_start((uv_stream_t *) peer, on_alloc, on_read);
    peers[peer_count++] = peer;
}

static void open_all(int per_host_max, int waiting_max)
{
    struct sockaddr_in address;
    int size = sizeof address;
    uv_loop_init(&loop);
    uv_tcp_init(&loop, &door);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&door, (struct sockaddr *) &address, 0);
    must(uv_listen((uv_stream_t *) &door, 128, on_peer) == 0);
    uv_tcp_getsockname(&door, (struct sockaddr *) &address, &size);
    port = ntohs(address.sin_port);
    peer_count = request_count = 0;
    says = NULL;
    outbound = outbound_new(&loop, NULL, per_host_max, waiting_max);
}

static void on_outbound_closed(void *arg)
{
    *(bool *) arg = true;
}

static void close_all(void)
{
    bool closed = false;
    outbound_close(outbound, on_outbound_closed, &closed);
    while (!closed) uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < peer_count; i++) uv_close((uv_handle_t *) peers[i], on_closed_peer);
    uv_close((uv_handle_t *) &door, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void on_done(struct outbound_call *call, enum err err)
{
    struct asked *a = call->arg;
    a->ends++;
    a->err = err;
    snprintf(a->text, sizeof a->text, "%.*s", (int) call->answer.n, call->answer.n ? call->answer.p : "");
}

static enum err ask_at(struct asked *a, const char *host, int at)
{
    char url[128];
    memset(a, 0, sizeof *a);
    snprintf(url, sizeof url, "%s:%d/", host, at);
    outbound_call_init(&a->call, "POST", str_from(url), on_done, a);
    outbound_json(&a->call, STR("{}"));
    return outbound_start(outbound, &a->call);
}

static enum err ask(struct asked *a)
{
    return ask_at(a, "http://127.0.0.1", port);
}

static void until_ended(const struct asked *a)
{
    while (!a->ends) uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(an_answer_of_any_status_is_ok)
{
    struct asked a;
    open_all(2, 2);
    says = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy";
    ck_assert_int_eq(ask(&a), OK);
    ck_assert_int_eq(a.ends, 0);
    until_ended(&a);
    ck_assert_int_eq(a.err, OK);
    ck_assert_int_eq(a.call.status, 503);
    ck_assert_str_eq(a.text, "busy");
    close_all();
}
END_TEST

START_TEST(nobody_there_is_unavailable)
{
    struct asked a;
    open_all(2, 2);
    ck_assert_int_eq(ask_at(&a, "http://127.0.0.1", 1), OK);
    until_ended(&a);
    ck_assert_int_eq(a.err, ERR_UNAVAILABLE);
    close_all();
}
END_TEST

START_TEST(an_answer_cut_off_or_too_long_is_uncertain)
{
    static char flood[OUTBOUND_ANSWER_MAX + 4096];
    struct asked a;
    open_all(2, 2);
    says = "HTTP/1.1 200 OK\r\nTransfer-Encoding: nonsense\r\n\r\nzzz";
    ck_assert_int_eq(ask(&a), OK);
    until_ended(&a);
    ck_assert_int_eq(a.err, ERR_UNCERTAIN);
    int head = snprintf(flood, sizeof flood, "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n");
    memset(flood + head, 'x', sizeof flood - 1 - (size_t) head);
    says = flood;
    ck_assert_int_eq(ask(&a), OK);
    until_ended(&a);
    ck_assert_int_eq(a.err, ERR_UNCERTAIN);
    close_all();
}
END_TEST

static void on_shut(uv_shutdown_t *request, int status)
{
    ck_assert_int_eq(status, 0);
    *(bool *) request->data = true;
}

/* The server ends it and hears that we do, too. */
static void shut(uv_tcp_t *peer)
{
    bool shut = false;
    uv_shutdown_t request = { .data = &shut };
    must(uv_shutdown(&request, (uv_stream_t *) peer, on_shut) == 0);
    while (!shut) uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(a_connection_serves_one_call_after_another_until_it_is_closed)
{
    struct asked a;
    open_all(2, 2);
    says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(ask(&a), OK);
        until_ended(&a);
        ck_assert_int_eq(a.err, OK);
    }
    ck_assert_int_eq(peer_count, 1);
    shut(peers[0]);
    for (int i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);   /* its end is heard of while nobody asks */
    ck_assert_int_eq(ask(&a), OK);
    until_ended(&a);
    ck_assert_int_eq(a.err, OK);
    ck_assert_int_eq(peer_count, 2);
    ck_assert_int_eq(request_count, 4);
    close_all();
}
END_TEST

static void on_given_up(struct curl_transfer *t, CURLcode code)
{
    (void) t;
    ck_assert_int_eq(code, CURLE_OPERATION_TIMEDOUT);
    peer_count = -1;
}

/* A listener whose queue is full: whoever connects next waits. */
static int full_listener(int fillers[2], char url[64])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(fd, (struct sockaddr *) &address, size) == 0 && listen(fd, 0) == 0);
    must(getsockname(fd, (struct sockaddr *) &address, &size) == 0);
    snprintf(url, 64, "http://127.0.0.1:%d/", ntohs(address.sin_port));
    for (int i = 0; i < 2; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void) !connect(fillers[i], (struct sockaddr *) &address, size);
    }
    return fd;
}

START_TEST(a_connection_given_up_leaves_its_number_to_others)
{
    char url[64];
    int fillers[2], door_fd = full_listener(fillers, url);
    uv_poll_t other;
    uv_loop_init(&loop);
    struct curl_loop *curl = curl_loop_new(&loop, NULL);
    struct curl_transfer t = { .easy = curl_loop_easy(), .done = on_given_up, .keeps_alive = true };
    curl_easy_setopt(t.easy, CURLOPT_URL, url);
    curl_easy_setopt(t.easy, CURLOPT_TIMEOUT_MS, 50L);
    curl_loop_add(curl, &t);
    for (peer_count = 0; peer_count == 0;) uv_run(&loop, UV_RUN_ONCE);
    int fd = socket(AF_INET, SOCK_STREAM, 0);   /* the lowest number that is free: the one of before */
    ck_assert_int_eq(uv_poll_init(&loop, &other, fd), 0);
    uv_close((uv_handle_t *) &other, NULL);
    curl_loop_remove(curl, &t);
    curl_easy_cleanup(t.easy);
    curl_loop_close(curl);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    for (int i = 0; i < 2; i++) close(fillers[i]);
    close(fd);
    close(door_fd);
}
END_TEST

START_TEST(to_one_host_so_many_run_and_so_many_wait)
{
    struct asked a[4], other;
    open_all(1, 2);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(ask(&a[i]), OK);
    ck_assert_int_eq(ask(&a[3]), ERR_FULL);
    while (request_count < 1) uv_run(&loop, UV_RUN_ONCE);
    /* Another host has room of its own. */
    says = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    ck_assert_int_eq(ask_at(&other, "http://localhost", port), OK);
    until_ended(&other);
    ck_assert_int_eq(other.err, OK);
    ck_assert_int_eq(a[0].ends + a[1].ends + a[2].ends, 0);
    close_all();
    for (int i = 0; i < 3; i++) ck_assert_int_eq(a[i].ends, 1);
}
END_TEST

START_TEST(closing_tells_what_was_sent_from_what_was_not)
{
    struct asked a[2];
    open_all(1, 2);
    ck_assert_int_eq(ask(&a[0]), OK);
    ck_assert_int_eq(ask(&a[1]), OK);
    while (request_count < 1) uv_run(&loop, UV_RUN_ONCE);
    close_all();
    ck_assert_int_eq(a[0].err, ERR_UNCERTAIN);
    ck_assert_int_eq(a[1].err, ERR_CLOSED);
}
END_TEST

START_TEST(what_is_no_call_is_refused_at_once)
{
    struct asked a;
    open_all(1, 1);
    ck_assert_int_eq(ask_at(&a, "ftp://127.0.0.1", port), ERR_INVALID);
    ck_assert_int_eq(ask_at(&a, "no sense", port), ERR_INVALID);
    memset(&a, 0, sizeof a);
    outbound_call_init(&a.call, "GET", STR("http://127.0.0.1/"), on_done, &a);
    outbound_header(&a.call, "X-Evil: %s", "1\r\nX-Second: 2");
    ck_assert_int_eq(outbound_start(outbound, &a.call), ERR_INVALID);
    close_all();
    ck_assert_int_eq(a.ends, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outbound");
    TCase *tests = tcase_create("outbound");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, an_answer_of_any_status_is_ok);
    tcase_add_test(tests, nobody_there_is_unavailable);
    tcase_add_test(tests, an_answer_cut_off_or_too_long_is_uncertain);
    tcase_add_test(tests, a_connection_serves_one_call_after_another_until_it_is_closed);
    tcase_add_test(tests, a_connection_given_up_leaves_its_number_to_others);
    tcase_add_test(tests, to_one_host_so_many_run_and_so_many_wait);
    tcase_add_test(tests, closing_tells_what_was_sent_from_what_was_not);
    tcase_add_test(tests, what_is_no_call_is_refused_at_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
