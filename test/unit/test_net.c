/* Connections over a real loop: what is written arrives in order however slowly it is read, closing
 * works in every state, and running out of descriptors neither spins nor stays. */
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/net_private.h"
#include "test/unit/net_rig.h"

static int watched;

static bool is_hung_up(void)
{
    char byte;
    ssize_t n = recv(watched, &byte, 1, 0);
    return n == 0 || (n < 0 && errno != EAGAIN);
}

static bool hangs_up(int fd)
{
    watched = fd;
    return pump(is_hung_up, WAIT_MS);
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_heard(void)
{
    char piece[65536];
    ssize_t n;
    while ((n = recv(watched, piece, sizeof piece, 0)) > 0) buf_put(&heard, piece, (size_t) n);
    return heard.n >= (size_t) wanted;
}

START_TEST(what_the_kernel_does_not_take_arrives_in_order)
{
    start(NULL, 0, "127.0.0.1");
    watched = dialled();
    ck_assert(await(are_open, 1));
    uint8_t *bulk = bulk_new();
    size_t at = 0;
    for (size_t step = 1; at < BULK_BYTES; step = step * 3 + 7) {      /* small and large, in two parts each */
        if (step > BULK_BYTES - at) step = BULK_BYTES - at;
        struct iovec iov[] = { { bulk + at, step / 3 }, { bulk + at + step / 3, step - step / 3 } };
        ck_assert_int_eq(net_write(conns[0], iov, 2), OK);
        at += step;
    }
    ck_assert_uint_gt(net_pending(conns[0]), 0);
    ck_assert_int_eq(drains, 0);
    wanted = BULK_BYTES;
    ck_assert(pump(is_heard, WAIT_MS));
    ck_assert_mem_eq(heard.p, bulk, BULK_BYTES);
    pump(never, 10);
    ck_assert_int_eq(drains, 1);
    ck_assert_uint_eq(net_pending(conns[0]), 0);
    ck_assert_ptr_null(conns[0]->out);
    close(watched);
    free(bulk);
    stop();
}
END_TEST

START_TEST(paused_connection_is_not_read)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    net_read_pause(conns[0]);
    ck_assert_int_eq(send(fd, "abc", 3, 0), 3);
    pump(never, 20);
    ck_assert_uint_eq(heard.n, 0);
    net_read_resume(conns[0]);
    pump(never, 20);
    ck_assert(str_eq(buf_view(&heard), STR("abc")));
    close(fd);
    stop();
}
END_TEST

/* --- closing ------------------------------------------------------------------------------------ */

enum moment { FRESH, AFTER_DATA, WHILE_PENDING, AFTER_EOF, PAUSED, TWICE, AFTER_RESET, MOMENTS };

static void bring_to(enum moment moment, int fd)
{
    ck_assert(await(are_open, 1));
    static uint8_t much[BULK_BYTES];
    struct linger reset = { 1, 0 };
    switch (moment) {
    case AFTER_DATA:
        send(fd, "x", 1, 0);
        pump(never, 5);
        break;
    case WHILE_PENDING:
        net_write(conns[0], &(struct iovec){ much, sizeof much }, 1);
        ck_assert_uint_gt(net_pending(conns[0]), 0);
        break;
    case AFTER_EOF:
        shutdown(fd, SHUT_WR);
        pump(never, 5);
        ck_assert_int_eq(eofs, 1);
        break;
    case PAUSED:
        net_read_pause(conns[0]);
        break;
    case TWICE:
        net_close(conns[0]);
        break;
    case AFTER_RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        net_read_pause(conns[0]);        /* so that the reset is not noticed before the close */
        break;
    default:
        break;
    }
}

START_TEST(closing_works_in_every_state)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    bring_to((enum moment) (_i % MOMENTS), fd);
    if (_i % MOMENTS == AFTER_RESET) close(fd);
    if (_i < MOMENTS) net_close(conns[0]);
    else net_close_after_write(conns[0]);
    ck_assert(net_is_closing(conns[0]));
    ck_assert_int_eq(net_write(conns[0], &(struct iovec){ (void *) "x", 1 }, 1), ERR_CLOSED);
    ck_assert_int_eq(closed, 0);                     /* never from inside */
    if (_i % MOMENTS != AFTER_RESET) {
        ck_assert(_i % MOMENTS == WHILE_PENDING || hangs_up(fd));
        close(fd);
    }
    ck_assert(await(are_closed, 1));
    int calls = eofs + drains;
    pump(never, 5);
    ck_assert_int_eq(eofs + drains, calls);
    stop();
}
END_TEST

START_TEST(lost_connection_says_so)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    struct linger reset = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    ck_assert(await(are_closed, 1));
    ck_assert_int_eq(closed_why, ERR_CLOSED);
    stop();
}
END_TEST

/* A socket closed with unread input sends a reset, which may destroy what we wrote last. */
START_TEST(last_words_are_not_lost_when_the_peer_still_speaks)
{
    start(NULL, 0, "127.0.0.1");
    watched = dialled();
    ck_assert(await(are_open, 1));
    net_write(conns[0], &(struct iovec){ (void *) "go away", 7 }, 1);
    net_read_pause(conns[0]);
    char noise[10000] = { 0 };
    ck_assert_int_gt(send(watched, noise, sizeof noise, 0), 0);
    net_close_after_write(conns[0]);
    pump(never, 50);
    ck_assert_int_gt(send(watched, noise, sizeof noise, MSG_NOSIGNAL), 0);
    wanted = 7;
    ck_assert(pump(is_heard, WAIT_MS));
    ck_assert(str_eq(buf_view(&heard), STR("go away")));
    ck_assert_int_eq(closed, 0);
    close(watched);
    ck_assert(await(are_closed, 1));
    ck_assert_int_eq(closed_why, OK);
    stop();
}
END_TEST

START_TEST(lingering_has_an_end)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    net_close_after_write(conns[0]);
    static char noise[65536];
    uint64_t from = clock_mono_ms();
    while (closed == 0 && clock_mono_ms() < from + 3000) {       /* bytes without end */
        send(fd, noise, sizeof noise, MSG_NOSIGNAL);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(closed, 1);
    close(fd);
    stop();
}
END_TEST

/* --- listening ---------------------------------------------------------------------------------- */

START_TEST(socket_options_are_inherited)
{
    start(NULL, 0, "127.0.0.1");
    int fd = dialled();
    ck_assert(await(are_open, 1));
    int on = 0;
    unsigned timeout = 0;
    socklen_t n = sizeof on;
    ck_assert_int_eq(getsockopt(net_fd(conns[0]), IPPROTO_TCP, TCP_NODELAY, &on, &n), 0);
    ck_assert_int_ne(on, 0);
    ck_assert_int_eq(getsockopt(net_fd(conns[0]), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, &n), 0);
    ck_assert_uint_eq(timeout, NET_USER_TIMEOUT_MS);
    char peer[NET_ADDRESS_BYTES];
    ck_assert(str_eq(net_peer(conns[0], peer), STR("127.0.0.1")));
    close(fd);
    stop();
}
END_TEST

START_TEST(any_address_means_both_families_and_mapped_peers_are_v4)
{
    start(NULL, 0, NULL);
    int fd = dialled();
    ck_assert(await(are_open, 1));
    char peer[NET_ADDRESS_BYTES];
    ck_assert(str_eq(net_peer(conns[0], peer), STR("127.0.0.1")));
    close(fd);
    stop();
}
END_TEST

START_TEST(port_is_shared_only_when_both_want_it)
{
    start(NULL, 0, "127.0.0.1");
    const char *fault = NULL;
    struct net_listener_options at = { .host = "127.0.0.1", .port = net_listener_port(listener) };
    ck_assert_ptr_null(net_listen(&loop, &at, on_conn, NULL, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "is in use"));
    at.port = 0;
    at.reuse_port = true;
    struct net_listener *one = net_listen(&loop, &at, on_conn, NULL, &fault);
    at.port = net_listener_port(one);
    struct net_listener *two = net_listen(&loop, &at, on_conn, NULL, &fault);
    ck_assert_ptr_nonnull(two);
    net_listener_close(one);
    net_listener_close(two);
    at.host = "no address";
    ck_assert_ptr_null(net_listen(&loop, &at, on_conn, NULL, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "no address"));
    stop();
}
END_TEST

static int dial_port(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t) port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int error = connect(fd, (struct sockaddr *) &to, sizeof to) == 0 ? 0 : errno;
    close(fd);
    return error;
}

START_TEST(port_on_hold_lets_nobody_in)
{
    start(NULL, 0, "127.0.0.1");
    const char *fault = NULL;
    struct net_listener_options at = { .host = "127.0.0.1", .hold = true };
    struct net_listener *held = net_listen(&loop, &at, on_conn, NULL, &fault);
    at.port = net_listener_port(held);
    ck_assert_int_gt(at.port, 0);
    pump(never, 20);
    ck_assert_int_eq(dial_port(at.port), ECONNREFUSED);
    /* It can be bound a second time, but only the first to open it gets it. */
    struct net_listener *other = net_listen(&loop, &at, on_conn, NULL, &fault);
    ck_assert_ptr_nonnull(other);
    ck_assert(net_listener_open(held, &fault));
    ck_assert(!net_listener_open(other, &fault));
    ck_assert_ptr_nonnull(strstr(fault, "is in use"));
    ck_assert_int_eq(dial_port(at.port), 0);
    ck_assert(await(are_open, 1));
    net_listener_close(held);
    net_listener_close(other);
    stop();
}
END_TEST

/* Several processes at one port: who is on hold is given no client. */
START_TEST(shared_port_gives_clients_only_to_those_who_are_open)
{
    start(NULL, 0, "127.0.0.1");
    const char *fault = NULL;
    struct net_listener_options at = { .host = "127.0.0.1", .reuse_port = true };
    struct net_listener *open = net_listen(&loop, &at, on_conn, NULL, &fault);
    at.port = net_listener_port(open);
    at.hold = true;
    struct net_listener *held = net_listen(&loop, &at, on_conn, NULL, &fault);
    for (int i = 0; i < 32; i++) ck_assert_int_eq(dial_port(at.port), 0);
    ck_assert(await(are_open, 32));
    ck_assert_int_eq(net_listener_count(held), 0);
    net_listener_close(open);
    net_listener_close(held);
    stop();
}
END_TEST

START_TEST(connections_beyond_the_maximum_are_closed)
{
    start(NULL, 2, "127.0.0.1");
    int fd[4];
    for (int i = 0; i < 4; i++) fd[i] = dialled();
    ck_assert(hangs_up(fd[2]) && hangs_up(fd[3]));
    ck_assert_int_eq(opened, 2);
    close(fd[0]);
    net_close(conns[0]);
    ck_assert(await(are_closed, 1));
    int again = dialled();
    ck_assert(await(are_open, 3));
    close(fd[1]), close(fd[2]), close(fd[3]), close(again);
    stop();
}
END_TEST

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* CPU milliseconds of half a second in the loop, waiting as a server waits. */
static int cpu_ms_of_waiting(void)
{
    uv_timer_t timer;
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, stop_loop, 500, 0);
    clock_t from = clock();
    uv_run(&loop, UV_RUN_DEFAULT);
    int ms = (int) ((clock() - from) * 1000 / CLOCKS_PER_SEC);
    uv_close((uv_handle_t *) &timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return ms;
}

/* Leaves room for `room` further descriptors. */
static void limit_descriptors(int room)
{
    int next = dup(0);
    close(next);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = (rlim_t) (next + room);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

START_TEST(running_out_of_descriptors_turns_away_and_recovers)
{
    start(NULL, 0, "127.0.0.1");
    int fd[10];
    for (int i = 0; i < 10; i++) fd[i] = socket_new();
    limit_descriptors(3);
    for (int i = 0; i < 10; i++) dial(fd[i]);
    ck_assert(hangs_up(fd[9]));
    ck_assert(opened >= 2 && opened < 5);
    for (int i = opened; i < 10; i++) ck_assert(hangs_up(fd[i]));  /* they learn it at once */
    int before = opened;
    ck_assert_int_lt(cpu_ms_of_waiting(), 100);
    ck_assert_int_ge(listener->spare_fd, 0);
    net_close(conns[0]);
    ck_assert(await(are_closed, 1));
    close(fd[9]);
    fd[9] = socket_new();
    net_close(conns[1]);
    ck_assert(await(are_closed, 2));
    dial(fd[9]);
    ck_assert(await(are_open, before + 1));
    for (int i = 0; i < 10; i++) close(fd[i]);
    stop();
}
END_TEST

START_TEST(running_out_without_a_spare_waits_and_recovers)
{
    start(NULL, 0, "127.0.0.1");
    int fd = socket_new();
    close(listener->spare_fd);
    listener->spare_fd = -1;
    limit_descriptors(1);
    int taken = dup(0);
    dial(fd);
    ck_assert_int_lt(cpu_ms_of_waiting(), 100);
    ck_assert_int_eq(opened, 0);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur += 5;
    setrlimit(RLIMIT_NOFILE, &limit);
    ck_assert(await(are_open, 1));
    ck_assert_int_ge(listener->spare_fd, 0);
    close(taken);
    close(fd);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("net");
    TCase *t = tcase_create("net");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, what_the_kernel_does_not_take_arrives_in_order);
    tcase_add_test(t, paused_connection_is_not_read);
    tcase_add_loop_test(t, closing_works_in_every_state, 0, 2 * MOMENTS);
    tcase_add_test(t, lost_connection_says_so);
    tcase_add_test(t, last_words_are_not_lost_when_the_peer_still_speaks);
    tcase_add_test(t, lingering_has_an_end);
    tcase_add_test(t, socket_options_are_inherited);
    tcase_add_test(t, any_address_means_both_families_and_mapped_peers_are_v4);
    tcase_add_test(t, port_is_shared_only_when_both_want_it);
    tcase_add_test(t, port_on_hold_lets_nobody_in);
    tcase_add_test(t, shared_port_gives_clients_only_to_those_who_are_open);
    tcase_add_test(t, connections_beyond_the_maximum_are_closed);
    tcase_add_test(t, running_out_of_descriptors_turns_away_and_recovers);
    tcase_add_test(t, running_out_without_a_spare_waits_and_recovers);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
