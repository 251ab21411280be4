/* Two connections made one: all bytes, in both directions, however slowly they are taken; and every way to end. */
#include <string.h>

#include "core/relay.h"
#include "test/unit/net_rig.h"

static struct relay *relay;
static int relays_done;
static int outside, inside; /* the sockets of the client and of the process behind */

static void on_done(void *arg)
{
    (void) arg;
    relay = NULL;
    relays_done++;
}

static bool is_done(void)
{
    return relays_done == 1;
}

static void join(struct str first, bool eof)
{
    start(NULL, 0, "127.0.0.1");
    relays_done = 0;
    outside = dialled();
    ck_assert(await(are_open, 1));
    inside = dialled();
    ck_assert(await(are_open, 2));
    net_read_pause(conns[0]);
    net_read_pause(conns[1]);
    closed = 2; /* the rig hears no more of them */
    relay = relay_start(conns[0], conns[1], first, eof, on_done, NULL);
    conns[0] = conns[1] = NULL;
}

static void finish(void)
{
    close(outside);
    close(inside);
    ck_assert(pump(is_done, WAIT_MS));
    stop();
}

static int reader;
static size_t expected;

static bool has_heard(void)
{
    char piece[65536];
    ssize_t n;
    while ((n = recv(reader, piece, sizeof piece, 0)) > 0) buf_put(&heard, piece, (size_t) n);
    return heard.n >= expected;
}

static bool is_over(void)
{
    char byte;
    return recv(reader, &byte, 1, 0) == 0;
}

static void carry(int from, int to)
{
    uint8_t *bulk = bulk_new();
    buf_clear(&heard);
    reader = to;
    expected = 0;
    for (size_t at = 0; at < BULK_BYTES;) {
        ssize_t n = send(from, bulk + at, BULK_BYTES - at, 0);
        if (n > 0) at += (size_t) n;
        else if (!pump(never, 1)) has_heard(); /* nothing is read before nothing more can be said */
    }
    expected = BULK_BYTES;
    ck_assert(pump(has_heard, WAIT_MS));
    ck_assert_uint_eq(heard.n, BULK_BYTES);
    ck_assert_mem_eq(heard.p, bulk, BULK_BYTES);
    free(bulk);
}

START_TEST(everything_is_carried_in_both_directions)
{
    join(STR_NONE, false);
    carry(outside, inside);
    carry(inside, outside);
    finish();
}
END_TEST

START_TEST(who_does_not_read_stops_the_other)
{
    join(STR_NONE, false);
    static char piece[65536];
    size_t sent = 0;
    for (int idle = 0; idle < 20;) {
        ssize_t n = send(outside, piece, sizeof piece, 0);
        if (n > 0) sent += (size_t) n;
        idle = n > 0 ? 0 : idle + 1;
        pump(never, 2);
    }
    ck_assert_uint_lt(net_pending(relay->inner), 256 << 10);
    ck_assert_uint_gt(sent, 64 << 10);
    finish();
}
END_TEST

START_TEST(what_was_said_before_comes_first)
{
    join(STR("first "), false);
    ck_assert_int_eq(send(outside, "second", 6, 0), 6);
    reader = inside;
    expected = 12;
    ck_assert(pump(has_heard, WAIT_MS));
    ck_assert(str_eq(buf_view(&heard), STR("first second")));
    finish();
}
END_TEST

/* A client that has said all still hears the answer. */
START_TEST(last_word_goes_in_and_the_answer_comes_out)
{
    join(STR("question"), _i == 1);
    if (_i == 0) shutdown(outside, SHUT_WR);
    if (_i == 2) relay_end(relay);
    reader = inside;
    expected = 8;
    ck_assert(pump(has_heard, WAIT_MS));
    ck_assert(pump(is_over, WAIT_MS));
    buf_clear(&heard);
    ck_assert_int_eq(send(inside, "answer", 6, 0), 6);
    shutdown(inside, SHUT_WR);
    reader = outside;
    expected = 6;
    ck_assert(pump(has_heard, WAIT_MS));
    ck_assert(pump(is_over, WAIT_MS));
    finish();
}
END_TEST

START_TEST(lost_side_ends_the_other)
{
    join(STR_NONE, false);
    struct linger hard = { .l_onoff = 1 };
    int lost = _i ? inside : outside;
    reader = _i ? outside : inside;
    setsockopt(lost, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(lost);
    if (_i) inside = dup(reader);
    else outside = dup(reader);
    ck_assert(pump(is_over, WAIT_MS));
    finish();
}
END_TEST

START_TEST(cutting_ends_both_at_once)
{
    join(STR_NONE, false);
    relay_cut(relay);
    ck_assert(pump(is_done, WAIT_MS));
    reader = outside;
    ck_assert(pump(is_over, WAIT_MS));
    reader = inside;
    ck_assert(pump(is_over, WAIT_MS));
    close(outside);
    close(inside);
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relay");
    TCase *t = tcase_create("relay");
    tcase_set_timeout(t, 30);
    tcase_add_test(t, everything_is_carried_in_both_directions);
    tcase_add_test(t, who_does_not_read_stops_the_other);
    tcase_add_test(t, what_was_said_before_comes_first);
    tcase_add_loop_test(t, last_word_goes_in_and_the_answer_comes_out, 0, 3);
    tcase_add_loop_test(t, lost_side_ends_the_other, 0, 2);
    tcase_add_test(t, cutting_ends_both_at_once);
    suite_add_tcase(suite, t);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}
