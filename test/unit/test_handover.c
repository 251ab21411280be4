/* Descriptors from one process to another, without the processes: several ends on one loop. A hop ends in one of two
 * ways, and both sides mean the same; whatever goes wrong, no descriptor is left. */
#include <check.h>
#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/handover.h"
#include "core/log.h"
#include "core/must.h"

enum { WAIT_MS = 5000, BIG_BYTES = 1900000 };

/* One process's end. */
struct end {
    struct handover *handover;
    bool closed_to; /* may_take says no */
    int taken, fd;
    struct buf bytes;
    char peer[NET_ADDRESS_BYTES + 1];
};

static uv_loop_t loop;
static struct wheel *wheel;
static struct handover_boxes boxes;
static struct end ends[2];
static int done_count, taken_count, descriptors_before;

static bool may_take(void *arg)
{
    return !((struct end *) arg)->closed_to;
}

static void take(void *arg, int fd, struct str peer, struct str bytes)
{
    struct end *e = arg;
    e->taken++;
    if (e->fd >= 0) close(e->fd);
    e->fd = fd;
    buf_clear(&e->bytes);
    buf_str(&e->bytes, bytes);
    memcpy(e->peer, peer.p, peer.n);
    e->peer[peer.n] = 0;
}

static void on_done(void *arg, bool taken)
{
    (void) arg;
    done_count++;
    taken_count += taken;
}

static int descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (readdir(dir)) n++;
    closedir(dir);
    return n;
}

static void open_end(int i)
{
    ends[i].handover = handover_new(&(struct handover_options){ .loop = &loop,
                                                                .wheel = wheel,
                                                                .boxes = &boxes,
                                                                .index = i,
                                                                .may_take = may_take,
                                                                .take = take,
                                                                .arg = &ends[i] });
}

static void close_end(int i)
{
    if (ends[i].handover) handover_close(ends[i].handover);
    ends[i].handover = NULL;
}

static void start(int count)
{
    signal(SIGPIPE, SIG_IGN);
    log_setup(LOG_OFF, LOG_TEXT);
    must(uv_loop_init(&loop) == 0);
    wheel = wheel_new(&loop);
    uv_run(&loop, UV_RUN_NOWAIT); /* libuv's own descriptors are open now */
    descriptors_before = descriptors();
    must(handover_boxes_open(&boxes, 2));
    for (int i = 0; i < 2; i++) {
        ends[i] = (struct end){ .fd = -1 };
        buf_init(&ends[i].bytes, HANDOVER_BYTES_MAX);
        if (i < count) open_end(i);
    }
    done_count = taken_count = 0;
}

static bool pump(bool (*holds)(void))
{
    for (uint64_t until = clock_mono_ms() + WAIT_MS; !holds();) {
        uv_run(&loop, UV_RUN_NOWAIT);
        if (clock_mono_ms() >= until) return false;
        usleep(100);
    }
    return true;
}

static int wanted;

static bool are_done(void)
{
    return done_count >= wanted;
}

static bool await_done(int n)
{
    wanted = n;
    return pump(are_done);
}

static void turn_a_little(void)
{
    for (int i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
}

static void stop(void)
{
    for (int i = 0; i < 2; i++) {
        close_end(i);
        if (ends[i].fd >= 0) close(ends[i].fd);
        buf_fini(&ends[i].bytes);
    }
    turn_a_little();
    handover_boxes_close(&boxes);
    ck_assert_int_eq(descriptors(), descriptors_before);
    wheel_close(wheel);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

/* A connection to pass: one end of a pair; the other is the client's. */
static int client = -1;

static enum err pass(int to, struct str bytes)
{
    int pair[2];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    if (client >= 0) close(client);
    client = pair[1];
    enum err err = handover_pass(ends[0].handover, to, pair[0], STR("203.0.113.7"), bytes, on_done, NULL);
    close(pair[0]); /* what is in the inbox is a copy */
    return err;
}

static void hang_up(void)
{
    close(client);
    client = -1;
}

START_TEST(connection_arrives_with_its_bytes)
{
    start(2);
    size_t n = _i ? BIG_BYTES : 1;
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++) bytes[i] = (char) (i * 31 + i / 257);
    ck_assert_int_eq(pass(1, (struct str){ bytes, n }), OK);
    ck_assert_int_eq(done_count, 0); /* never from inside the call */
    ck_assert(await_done(1));
    ck_assert_int_eq(taken_count, 1);
    ck_assert_int_eq(ends[1].taken, 1);
    ck_assert_uint_eq(ends[1].bytes.n, n);
    ck_assert_mem_eq(ends[1].bytes.p, bytes, n);
    ck_assert_str_eq(ends[1].peer, "203.0.113.7");
    char heard[3] = { 0 };
    ck_assert_int_eq(write(ends[1].fd, "hi", 2), 2);
    ck_assert_int_eq(read(client, heard, 2), 2);
    ck_assert_str_eq(heard, "hi");
    free(bytes);
    hang_up();
    stop();
}
END_TEST

START_TEST(who_takes_nothing_refuses)
{
    start(2);
    ends[1].closed_to = true;
    ck_assert_int_eq(pass(1, STR("GET /")), OK);
    ck_assert(await_done(1));
    ck_assert_int_eq(taken_count, 0);
    ck_assert_int_eq(ends[1].taken, 0);
    char byte;
    ck_assert_int_eq(recv(client, &byte, 1, MSG_DONTWAIT), 0); /* nobody holds the connection any more */
    hang_up();
    stop();
}
END_TEST

START_TEST(there_must_be_such_a_worker)
{
    start(2);
    ck_assert_int_eq(pass(0, STR("x")), ERR_INVALID);
    ck_assert_int_eq(pass(2, STR("x")), ERR_INVALID);
    ck_assert_int_eq(pass(-1, STR("x")), ERR_INVALID);
    hang_up();
    stop();
}
END_TEST

/* Once it was refused, the connection is answered here: a worker that reads the message later must not take it. */
START_TEST(dead_worker_is_not_waited_for_and_does_not_take_it_later)
{
    start(1);
    uint64_t from = clock_mono_ms();
    ck_assert_int_eq(pass(1, STR("GET /")), OK);
    ck_assert(await_done(1));
    ck_assert_int_eq(taken_count, 0);
    ck_assert_uint_ge(clock_mono_ms() - from, 1900);
    open_end(1);
    turn_a_little();
    ck_assert_int_eq(ends[1].taken, 0);
    char byte;
    ck_assert_int_eq(recv(client, &byte, 1, MSG_DONTWAIT), 0);
    hang_up();
    stop();
}
END_TEST

START_TEST(worker_that_starts_again_in_time_takes_it)
{
    start(1);
    ck_assert_int_eq(pass(1, STR("GET /")), OK);
    turn_a_little();
    open_end(1);
    ck_assert(await_done(1));
    ck_assert_int_eq(taken_count, 1);
    ck_assert_int_eq(ends[1].taken, 1);
    hang_up();
    stop();
}
END_TEST

START_TEST(inbox_that_nobody_reads_fills_up)
{
    start(1);
    int passed = 0;
    while (passed < 1000 && pass(1, STR("GET /")) == OK) passed++;
    ck_assert_int_ge(passed, 16);
    ck_assert_int_le(passed, 256);
    ck_assert_int_eq(pass(1, STR("GET /")), ERR_FULL);
    close_end(0); /* all that wait are refused */
    ck_assert_int_eq(done_count, passed);
    ck_assert_int_eq(taken_count, 0);
    open_end(1);
    turn_a_little();
    ck_assert_int_eq(ends[1].taken, 0);
    hang_up();
    stop();
}
END_TEST

/* The bytes do not fit the channel: one side is in the middle of them when the other ends. */
START_TEST(either_side_may_end_in_the_middle)
{
    start(_i);
    char *bytes = calloc(1, BIG_BYTES);
    ck_assert_int_eq(pass(1, (struct str){ bytes, BIG_BYTES }), OK);
    if (_i == 2) uv_run(&loop, UV_RUN_NOWAIT);
    if (_i == 2) close_end(1);
    else close_end(0);
    ck_assert(await_done(1));
    ck_assert_int_eq(taken_count, 0);
    ck_assert_int_eq(ends[1].taken, 0);
    if (_i == 1) open_end(1);
    turn_a_little();
    ck_assert_int_eq(ends[1].taken, 0);
    free(bytes);
    hang_up();
    stop();
}
END_TEST

static void put_into_inbox(const void *bytes, size_t n, const int *fds, int count)
{
    union {
        char space[CMSG_SPACE(8 * sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct iovec iov = { (void *) bytes, n };
    struct msghdr header = { .msg_iov = &iov, .msg_iovlen = 1 };
    if (count > 0) {
        header.msg_control = control.space;
        header.msg_controllen = CMSG_SPACE((size_t) count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN((size_t) count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, (size_t) count * sizeof(int));
    }
    ck_assert_int_eq(sendmsg(boxes.out[1], &header, 0), (ssize_t) n);
}

START_TEST(nonsense_is_dropped_and_its_descriptors_are_closed)
{
    start(2);
    int fds[8], count = _i;
    char nonsense[128] = "nonsense";
    for (int i = 0; i < count; i++) fds[i] = dup(0);
    for (size_t n = 1; n <= sizeof nonsense; n *= 2) put_into_inbox(nonsense, n, fds, count);
    for (int i = 0; i < count; i++) close(fds[i]);
    turn_a_little();
    ck_assert_int_eq(ends[1].taken, 0);
    ck_assert_int_eq(pass(1, STR("GET /")), OK); /* and the inbox still works */
    ck_assert(await_done(1));
    ck_assert_int_eq(taken_count, 1);
    hang_up();
    stop();
}
END_TEST

START_TEST(many_at_once_all_arrive)
{
    start(2);
    for (int i = 0; i < 100; i++) ck_assert_int_eq(pass(1, STR("GET / HTTP/1.1\r\n\r\n")), OK);
    ck_assert(await_done(100));
    ck_assert_int_eq(taken_count, 100);
    ck_assert_int_eq(ends[1].taken, 100);
    hang_up();
    stop();
}
END_TEST

START_TEST(worker_keeps_its_own_inbox_only)
{
    start(0);
    int mine = boxes.in[1];
    handover_boxes_keep(&boxes, 1);
    ck_assert_int_eq(boxes.in[0], -1);
    ck_assert_int_eq(boxes.in[1], mine);
    ck_assert_int_ge(boxes.out[0], 0);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handover");
    TCase *t = tcase_create("handover");
    tcase_set_timeout(t, 30);
    tcase_add_loop_test(t, connection_arrives_with_its_bytes, 0, 2);
    tcase_add_test(t, who_takes_nothing_refuses);
    tcase_add_test(t, there_must_be_such_a_worker);
    tcase_add_test(t, dead_worker_is_not_waited_for_and_does_not_take_it_later);
    tcase_add_test(t, worker_that_starts_again_in_time_takes_it);
    tcase_add_test(t, inbox_that_nobody_reads_fills_up);
    tcase_add_loop_test(t, either_side_may_end_in_the_middle, 1, 3);
    tcase_add_loop_test(t, nonsense_is_dropped_and_its_descriptors_are_closed, 0, 4);
    tcase_add_test(t, many_at_once_all_arrive);
    tcase_add_test(t, worker_keeps_its_own_inbox_only);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
