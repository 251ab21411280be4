/* HTTP connections over real sockets: a server with a handful of endpoints on one loop, and clients that
 * are plain sockets driven by hand from the same thread. `pump` turns the loop until a condition holds. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/must.h"
#include "http/server_private.h"

#define HOST "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

enum { LATER_MAX = 256, BIG_BYTES = 4 << 20, WAIT_MS = 3000 };

static uv_loop_t loop;
static struct turn turn;
static struct wheel *wheel;
static struct http_server *server;
static struct http_request *later[LATER_MAX];
static int later_count;
static struct net_conn *upgraded;
static struct buf upgraded_input;
static bool upgraded_closed, drained;
static uv_async_t alive;             /* what a server has anyway: something that keeps the loop going */
static struct str big;

/* --- endpoints -------------------------------------------------------------------------------- */

static void reply_text(struct http_request *req, struct str text)
{
    reply_body(req, 200, STR("text/plain"), text);
}

static void run_now(struct http_request *req)
{
    reply_text(req, req->query.n ? req->query : STR("now"));
}

static void run_echo(struct http_request *req)
{
    reply_text(req, req->body);
}

static void run_later(struct http_request *req)
{
    must(later_count < LATER_MAX);
    later[later_count++] = req;
}

static void run_big(struct http_request *req)
{
    reply_text(req, big);
}

static void run_who(struct http_request *req)
{
    reply_text(req, arena_printf(&req->arena, "%.*s %.*s", STR_FMT(req->remote), STR_FMT(req->id)));
}

static void on_upgraded_data(void *owner, const uint8_t *data, size_t n)
{
    (void) owner;
    buf_put(&upgraded_input, data, n);
}

static void on_upgraded_eof(void *owner)
{
    (void) owner;
    net_close_after_write(upgraded);
}

static void on_upgraded_close(void *owner, enum err why)
{
    (void) owner, (void) why;
    upgraded_closed = true;
}

static const struct net_handler upgraded_handler = { .on_data = on_upgraded_data, .on_eof = on_upgraded_eof,
                                                     .on_close = on_upgraded_close };

static void run_upgrade(struct http_request *req)
{
    struct str rest;
    upgraded = request_upgrade(req, &rest);
    if (!upgraded) return;
    net_attach(upgraded, &upgraded_handler, NULL);
    buf_str(&upgraded_input, rest);
    net_write(upgraded, &(struct iovec){ (void *) "101!", 4 }, 1);
}

static const struct endpoint endpoints[] = {
    { .id = "NOW", .method = HTTP_GET, .path = "/now", .run = run_now, .summary = "", .reply = "{}" },
    { .id = "ECHO", .method = HTTP_POST, .path = "/echo", .run = run_echo, .flags = ENDPOINT_BODY_IGNORED,
      .body_max = 100000, .summary = "", .reply = "{}" },
    { .id = "LATER", .method = HTTP_GET, .path = "/later", .run = run_later, .summary = "", .reply = "{}" },
    { .id = "BIG", .method = HTTP_GET, .path = "/big", .run = run_big, .summary = "", .reply = "{}" },
    { .id = "WHO", .method = HTTP_GET, .path = "/who", .run = run_who, .summary = "", .reply = "{}" },
    { .id = "UP", .method = HTTP_GET, .path = "/up", .run = run_upgrade, .flags = ENDPOINT_UPGRADE,
      .summary = "", .reply = "{}" },
    { 0 },
};

/* --- the server ------------------------------------------------------------------------------- */

static void start(const char *const *trusted)
{
    static const struct endpoint *const tables[] = { endpoints, NULL };
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_OFF, LOG_TEXT);
    must(uv_loop_init(&loop) == 0);
    must(uv_async_init(&loop, &alive, NULL) == 0);
    turn_init(&turn, &loop);
    wheel = wheel_new(&loop);
    const struct http_options options = {
        .tables = tables, .title = "", .version = "", .trusted_proxies = trusted,
        .head_timeout_ms = 300, .body_timeout_ms = 300, .idle_timeout_ms = 600, .write_timeout_ms = 300,
    };
    server = http_server_new(&loop, &turn, wheel, NULL, &options);
    const char *fault = NULL;
    const struct net_listener_options at = { .host = "127.0.0.1" };
    ck_assert_msg(http_server_listen(server, &at, &fault) == OK, "%s", fault);
    later_count = 0;
    buf_init(&upgraded_input, 1 << 20);
    upgraded = NULL;
    upgraded_closed = drained = false;
    big.n = BIG_BYTES;
    big.p = mem_alloc(BIG_BYTES);
    memset((char *) big.p, 'b', BIG_BYTES);
}

static bool never(void)
{
    return false;
}

/* Turns the loop until the condition holds; false after ms. */
static bool pump(bool (*holds)(void), int ms)
{
    for (uint64_t end = clock_mono_ms() + (uint64_t) ms; !holds();) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (clock_mono_ms() >= end) return holds();
        usleep(200);
    }
    return true;
}

static bool no_conns(void)
{
    return server->conn_count == 0;
}

static void stop(void)
{
    if (upgraded && !upgraded_closed) net_close(upgraded);
    http_conn_close_all(server);
    ck_assert(pump(no_conns, WAIT_MS));
    while (later_count > 0) reply_text(later[--later_count], STR("too late"));
    pump(never, 5);
    ck_assert_int_eq(server->requests_under_way, 0);
    http_server_free(server);
    uv_close((uv_handle_t *) &alive, NULL);
    turn_close(&turn);
    wheel_close(wheel);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    buf_fini(&upgraded_input);
    mem_free((char *) big.p);
}

/* --- clients ---------------------------------------------------------------------------------- */

struct client {
    int fd;
    bool eof;
    struct buf in;
};
static struct client a, b;

static void dial(struct client *c)
{
    *c = (struct client){ .fd = socket(AF_INET, SOCK_STREAM, 0) };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) http_server_port(server)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    ck_assert_int_eq(connect(c->fd, (struct sockaddr *) &to, sizeof to), 0);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    buf_init(&c->in, 1 << 26);
}

static void hang_up(struct client *c)
{
    close(c->fd);
    buf_fini(&c->in);
}

static void put(struct client *c, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(c->fd, p, n, 0);
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
        if (sent > 0) p += sent, n -= (size_t) sent;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

static void say(struct client *c, const char *text)
{
    put(c, text, strlen(text));
}

static void hear(struct client *c)
{
    static char piece[65536];
    ssize_t n;
    while ((n = recv(c->fd, piece, sizeof piece, 0)) > 0) buf_put(&c->in, piece, (size_t) n);
    if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) c->eof = true;
}

static bool a_is_closed(void)
{
    hear(&a);
    return a.eof;
}

static int count(struct client *c, const char *text)
{
    int found = 0;
    struct str s = buf_view(&c->in);
    const char *p;
    while (s.n > 0 && (p = memmem(s.p, s.n, text, strlen(text)))) {
        found++;
        s.n -= (size_t) (p + 1 - s.p);
        s.p = p + 1;
    }
    return found;
}

static const char *awaited;
static int awaited_count;

static bool a_has_awaited(void)
{
    hear(&a);
    return count(&a, awaited) >= awaited_count;
}

static bool a_hears(const char *text, int times)
{
    awaited = text;
    awaited_count = times;
    return pump(a_has_awaited, WAIT_MS);
}

static int wanted_later;
static bool later_has_come(void)
{
    return later_count >= wanted_later;
}

static void await_later(int n)
{
    wanted_later = n;
    ck_assert(pump(later_has_come, WAIT_MS));
}

static void answer(int i, const char *text)
{
    struct http_request *req = later[i];
    later[i] = later[--later_count];
    reply_text(req, str_from(text));
}

/* The bodies in order must be these words: each stands behind an empty line. */
static void assert_order(const char *const *words)
{
    const char *at = a.in.p;
    for (; *words; words++) {
        const char *found = memmem(at, (size_t) (a.in.p + a.in.n - at), *words, strlen(*words));
        ck_assert_msg(found != NULL, "%s is missing or early", *words);
        at = found + strlen(*words);
    }
}

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

/* --- draining ----------------------------------------------------------------------------------- */

static void on_drained(void *arg)
{
    (void) arg;
    drained = true;
}

static bool is_drained(void)
{
    return drained;
}

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
    tcase_add_test(t, same_answers_however_the_bytes_are_cut);
    tcase_add_test(t, chunked_body_ends_at_its_limit);
    tcase_add_test(t, framing_of_a_chunked_body_has_a_limit);
    tcase_add_loop_test(t, slow_clients_are_closed, 0, sizeof slow / sizeof *slow);
    tcase_add_test(t, trickling_does_not_move_a_deadline);
    tcase_add_test(t, reader_who_does_not_read_is_closed_and_others_are_served);
    tcase_add_test(t, long_answer_reaches_a_slow_reader);
    tcase_add_test(t, client_may_leave_while_its_request_is_worked_on);
    tcase_add_test(t, half_closed_client_is_answered_then_closed);
    tcase_add_test(t, continue_is_said_when_its_turn_has_come);
    tcase_add_loop_test(t, upgrade_takes_the_connection_and_what_follows, 0, 2);
    tcase_add_test(t, upgrade_learns_of_the_half_close_that_came_before_it);
    tcase_add_test(t, draining_answers_what_is_under_way);
    tcase_add_test(t, draining_says_close_with_the_last_answer_only);
    tcase_add_test(t, draining_closes_the_idle_and_gives_up_in_time);
    tcase_add_loop_test(t, address_and_id_are_believed_within_reason, 0, sizeof askers / sizeof *askers);
    tcase_add_test(t, malformed_request_ids_are_replaced);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
