/* The wheel against the simplest thing that can be right: an array of due times. */
#include "core/wheel.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"

enum { TIMERS = 200, TICK_MS = 100 };

struct subject {
    struct wheel_timer timer;
    uint64_t due_ms;             /* the model; 0: not set */
    int fired;
};

static uv_loop_t loop;
static struct wheel *wheel;
static struct subject subjects[TIMERS];
static uint64_t now_ms, earlier_ms;     /* of the model; before and after the step under way */
static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Near ones mostly, but every level and beyond the last. */
static uint64_t random_after(void)
{
    static const uint64_t ranges[] = { 50, 1000, 6400, 7000, 60000, 409600, 4000000, 26214400, 200000000,
                                       1677721600, 4000000000 };
    uint64_t range = ranges[random_next() % (sizeof ranges / sizeof *ranges)];
    return random_next() % 8 == 0 ? range : random_next() % (range + 1);
}

/* ck_assert writes a record each time it holds; these run a million times. */
#define expect(condition) ((condition) ? (void) 0 : ck_abort_msg("%s", #condition))

static void fire(struct wheel_timer *t)
{
    struct subject *s = list_entry(t, struct subject, timer);
    s->fired++;
    expect(s->due_ms != 0);
    expect(s->due_ms <= now_ms);                    /* not early */
    expect(s->due_ms + TICK_MS > earlier_ms);       /* not later than a tick */
    expect(!wheel_is_set(t));
    s->due_ms = 0;
}

static void setup(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    wheel = wheel_new(&loop);
    for (int i = 0; i < TIMERS; i++) {
        subjects[i] = (struct subject){ .due_ms = 0 };
        wheel_timer_init(&subjects[i].timer, fire);
    }
}

static void teardown(void)
{
    if (wheel) wheel_close(wheel);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void advance(uint64_t ms)
{
    earlier_ms = now_ms;
    now_ms += ms;
    wheel_advance(wheel, ms);
    for (int i = 0; i < TIMERS; i++) {
        struct subject *s = &subjects[i];
        expect(wheel_is_set(&s->timer) == (s->due_ms != 0));
        expect(s->due_ms == 0 || s->due_ms + TICK_MS > now_ms);
    }
}

static void set(struct subject *s, uint64_t after_ms)
{
    wheel_set(wheel, &s->timer, after_ms);
    s->due_ms = now_ms + after_ms;
}

START_TEST(behaves_like_the_model)
{
    const char *seed = getenv("TALLY_TEST_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : clock_mono_us() * 2654435761u + (uint64_t) _i + 1;
    printf("wheel: TALLY_TEST_SEED=%" PRIu64 "\n", random_state);
    fflush(stdout);
    now_ms = 1000;
    advance(0);   /* by hand from now on; the wheel's own time is within its first tick */
    int fired = 0;
    for (int step = 0; step < 10000; step++) {
        struct subject *s = &subjects[random_next() % TIMERS];
        uint64_t what = random_next() % 10;
        if (what < 5) {
            set(s, random_after());
        } else if (what < 6) {
            wheel_cancel(&s->timer);
            s->due_ms = 0;
            expect(!wheel_is_set(&s->timer));
        } else {
            advance(random_after() >> random_next() % 24);
        }
    }
    advance(8000000000);
    for (int i = 0; i < TIMERS; i++) {
        ck_assert(!wheel_is_set(&subjects[i].timer));
        fired += subjects[i].fired;
    }
    ck_assert_int_gt(fired, 1000);
}
END_TEST

/* Each delay around the places where a level ends, from each phase of the wheel, a tick a step. */
START_TEST(is_exact_around_the_borders_of_levels)
{
    static const uint64_t ticks[] = { 0, 1, 2, 62, 63, 64, 65, 127, 128, 4094, 4095, 4096, 4097, 8191, 8192 };
    now_ms = 1000;
    advance(0);
    for (uint64_t phase = 0; phase < 70; phase += 10) {
        for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) set(&subjects[i], ticks[i] * TICK_MS);
        for (int step = 0; step < 8194; step++) advance(TICK_MS);
        for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
            ck_assert(!wheel_is_set(&subjects[i].timer));
            ck_assert_int_eq(subjects[i].fired, (int) (phase / 10) + 1);
        }
        advance(TICK_MS * 10);
    }
}
END_TEST

static struct wheel_timer victim, killer, again;
static int victim_fired, again_fired;

static void victim_fire(struct wheel_timer *t)
{
    (void) t;
    victim_fired++;
}

static void killer_fire(struct wheel_timer *t)
{
    (void) t;
    wheel_cancel(&victim);
}

static void closer_fire(struct wheel_timer *t)
{
    (void) t;
    wheel_close(wheel);
    wheel = NULL;
}

static void again_fire(struct wheel_timer *t)
{
    again_fired++;
    wheel_set(wheel, t, 0);
}

START_TEST(a_firing_timer_may_cancel_another_of_the_same_tick)
{
    wheel_timer_init(&victim, victim_fire);
    wheel_timer_init(&killer, killer_fire);
    wheel_advance(wheel, 0);
    wheel_set(wheel, &killer, 150);
    wheel_set(wheel, &victim, 150);
    wheel_advance(wheel, 1000);
    ck_assert_int_eq(victim_fired, 0);
    ck_assert(!wheel_is_set(&killer) && !wheel_is_set(&victim));
}
END_TEST

START_TEST(a_firing_timer_may_close_the_wheel)
{
    wheel_timer_init(&victim, victim_fire);
    wheel_timer_init(&again, victim_fire);
    wheel_timer_init(&killer, closer_fire);
    wheel_advance(wheel, 0);
    wheel_set(wheel, &killer, 150);
    wheel_set(wheel, &victim, 150);
    wheel_set(wheel, &again, 500000);
    wheel_advance(wheel, 1000000);
    ck_assert_int_eq(victim_fired, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    /* The wheel's memory is gone; its timers do not point into it. */
    ck_assert(!wheel_is_set(&victim) && !wheel_is_set(&again));
    wheel_cancel(&again);
}
END_TEST

START_TEST(a_timer_that_sets_itself_fires_in_the_next_tick)
{
    wheel_timer_init(&again, again_fire);
    wheel_advance(wheel, 0);
    wheel_set(wheel, &again, 0);
    for (int i = 1; i <= 20; i++) {
        wheel_advance(wheel, TICK_MS);
        ck_assert_int_eq(again_fired, i);
    }
}
END_TEST

/* ------------------------------------------------------------ by the clock */

static uint64_t fired_at_ms;

static void note_time(struct wheel_timer *t)
{
    (void) t;
    fired_at_ms = clock_mono_ms();
}

/* A loop without anything that holds it does not run timers at all; the server's sockets do. */
static void run_until_fired(uint64_t start_ms)
{
    uv_async_t holds;
    uv_async_init(&loop, &holds, NULL);
    while (!fired_at_ms && clock_mono_ms() - start_ms < 5000) uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *) &holds, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

START_TEST(runs_by_the_clock_and_does_not_hold_the_loop)
{
    wheel_timer_init(&again, note_time);
    wheel_timer_init(&victim, victim_fire);
    uint64_t start_ms = clock_mono_ms();
    wheel_set(wheel, &victim, 3600000);
    wheel_set(wheel, &again, 120);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);   /* returns: nothing holds the loop */
    ck_assert(wheel_is_set(&again));
    run_until_fired(start_ms);
    ck_assert_uint_ge(fired_at_ms, start_ms + 120);
    ck_assert_uint_lt(fired_at_ms, start_ms + 3000);
    ck_assert(wheel_is_set(&victim));
}
END_TEST

START_TEST(an_earlier_timer_set_later_wakes_the_wheel)
{
    wheel_timer_init(&again, note_time);
    wheel_timer_init(&victim, victim_fire);
    wheel_set(wheel, &victim, 100000);
    uv_run(&loop, UV_RUN_NOWAIT);
    uint64_t start_ms = clock_mono_ms();
    wheel_set(wheel, &again, 10);
    run_until_fired(start_ms);
    ck_assert_uint_ge(fired_at_ms, start_ms + 10);
    ck_assert_uint_lt(fired_at_ms, start_ms + 3000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wheel");
    TCase *tcase = tcase_create("wheel");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, behaves_like_the_model, 0, 5);
    tcase_add_test(tcase, is_exact_around_the_borders_of_levels);
    tcase_add_test(tcase, a_firing_timer_may_cancel_another_of_the_same_tick);
    tcase_add_test(tcase, a_firing_timer_may_close_the_wheel);
    tcase_add_test(tcase, a_timer_that_sets_itself_fires_in_the_next_tick);
    tcase_add_test(tcase, runs_by_the_clock_and_does_not_hold_the_loop);
    tcase_add_test(tcase, an_earlier_timer_set_later_wakes_the_wheel);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
