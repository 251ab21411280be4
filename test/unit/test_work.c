/* The queue before the pool, or before a worker of its own: its bounds, its order, and what closing does to which
 * item. Tests that are added twice run with either. */
#include "core/work.h"

#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct item {
    struct work work;
    bool ran;
    int niceness;              /* of the thread it ran on */
    int processors, processor; /* how many that thread may use; the one it did */
    int done;                  /* how often */
    enum err err;
    int order;                 /* the place among all that ended */
    struct gate *gate;
    void (*then)(void);
};

/* Keeps items on their pool thread until it is opened, so that tests choose the moment. */
struct gate {
    uv_mutex_t mutex;
    uv_cond_t changed;
    bool open;
    int inside, inside_most;
};

static uv_loop_t loop;
static struct work_queue *queue;
static struct gate gate;
static struct item items[8];
static int ended;

static int processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

static void run(struct work *w)
{
    struct item *item = list_entry(w, struct item, work);
    uv_mutex_lock(&item->gate->mutex);
    item->ran = true;
    item->niceness = getpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid));
    item->processors = processors();
    item->processor = sched_getcpu();
    item->gate->inside++;
    if (item->gate->inside > item->gate->inside_most) item->gate->inside_most = item->gate->inside;
    uv_cond_broadcast(&item->gate->changed);
    while (!item->gate->open) uv_cond_wait(&item->gate->changed, &item->gate->mutex);
    item->gate->inside--;
    uv_mutex_unlock(&item->gate->mutex);
}

static void done(struct work *w, enum err err)
{
    struct item *item = list_entry(w, struct item, work);
    item->done++;
    item->err = err;
    item->order = ended++;
    if (item->then) item->then();
}

static void gate_open(void)
{
    uv_mutex_lock(&gate.mutex);
    gate.open = true;
    uv_cond_broadcast(&gate.changed);
    uv_mutex_unlock(&gate.mutex);
}

static void gate_wait_inside(int count)
{
    uv_mutex_lock(&gate.mutex);
    while (gate.inside < count) uv_cond_wait(&gate.changed, &gate.mutex);
    uv_mutex_unlock(&gate.mutex);
}

static void setup(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    uv_mutex_init(&gate.mutex);
    uv_cond_init(&gate.changed);
    for (int i = 0; i < 8; i++) {
        items[i] = (struct item){ .gate = &gate };
        items[i].work.run = run;
        items[i].work.done = done;
    }
}

static void run_loop(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
}

static void teardown(void)
{
    work_queue_close(queue);
    run_loop();
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    uv_cond_destroy(&gate.changed);
    uv_mutex_destroy(&gate.mutex);
}

static struct work_queue *one_at_a_time(int with_worker, int waiting_max)
{
    return with_worker ? work_queue_new_patient(&loop, waiting_max) : work_queue_new(&loop, 1, waiting_max);
}

START_TEST(bounds_and_order)
{
    queue = work_queue_new(&loop, 2, 3);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(work_submit(queue, &items[i].work), OK);
    ck_assert_int_eq(work_submit(queue, &items[5].work), ERR_FULL);
    ck_assert_int_eq(work_queue_length(queue), 5);
    gate_wait_inside(2);
    gate_open();
    run_loop();
    ck_assert_int_eq(work_queue_length(queue), 0);
    ck_assert_int_eq(gate.inside_most, 2);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(items[i].done, 1);
        ck_assert_int_eq(items[i].err, OK);
    }
    ck_assert(!items[5].ran && items[5].done == 0);
    ck_assert_int_eq(work_submit(queue, &items[5].work), OK);
    run_loop();
    ck_assert_int_eq(items[5].done, 1);
}
END_TEST

START_TEST(one_at_a_time_is_first_come_first_served)
{
    queue = one_at_a_time(_i, 7);
    for (int i = 0; i < 8; i++) ck_assert_int_eq(work_submit(queue, &items[i].work), OK);
    gate_open();
    run_loop();
    ck_assert_int_eq(gate.inside_most, 1);
    for (int i = 0; i < 8; i++) ck_assert_int_eq(items[i].order, i);
}
END_TEST

START_TEST(without_waiting_room_only_the_running_are_taken)
{
    queue = one_at_a_time(_i, 0);
    ck_assert_int_eq(work_submit(queue, &items[0].work), OK);
    ck_assert_int_eq(work_submit(queue, &items[1].work), ERR_FULL);
    gate_open();
    run_loop();
    ck_assert_int_eq(items[0].done, 1);
}
END_TEST

static void on_closed(void *arg)
{
    *(bool *) arg = true;
}

START_TEST(closing_ends_the_waiting_and_waits_for_the_running)
{
    queue = one_at_a_time(_i, 4);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(work_submit(queue, &items[i].work), OK);
    gate_wait_inside(1);
    bool closed = false;
    work_queue_close_then(queue, on_closed, &closed);
    work_queue_close(queue);
    ck_assert_int_eq(work_submit(queue, &items[3].work), ERR_CLOSED);
    ck_assert_int_eq(ended, 0);   /* never from inside the call */
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert(items[1].done == 1 && items[1].err == ERR_CLOSED && !items[1].ran);
    ck_assert(items[2].done == 1 && items[2].err == ERR_CLOSED && !items[2].ran);
    ck_assert_int_eq(items[0].done, 0);
    ck_assert(!closed);           /* one still runs */
    gate_open();
    run_loop();
    ck_assert(closed);
    ck_assert_int_eq(work_submit(NULL, &items[1].work), ERR_CLOSED);
    ck_assert(items[0].done == 1 && items[0].err == OK && items[0].ran);
    queue = work_queue_new(&loop, 1, 0);   /* for teardown */
}
END_TEST

/* More than the pool has threads: the surplus has not begun, and is taken back. */
START_TEST(closing_takes_back_what_the_pool_has_not_begun)
{
    queue = work_queue_new(&loop, 8, 0);
    for (int i = 0; i < 8; i++) ck_assert_int_eq(work_submit(queue, &items[i].work), OK);
    gate_wait_inside(4);
    work_queue_close(queue);
    uv_run(&loop, UV_RUN_NOWAIT);
    gate_open();
    run_loop();
    int closed = 0;
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(items[i].done, 1);
        ck_assert_int_eq(items[i].err, items[i].ran ? OK : ERR_CLOSED);
        closed += !items[i].ran;
    }
    ck_assert_int_eq(closed, 4);
    queue = work_queue_new(&loop, 1, 0);
}
END_TEST

START_TEST(a_worker_lets_others_go_first)
{
    for (int with_worker = 0; with_worker < 2; with_worker++) {
        queue = one_at_a_time(with_worker, 0);
        ck_assert_int_eq(work_submit(queue, &items[with_worker].work), OK);
        gate_open();
        run_loop();
        if (!with_worker) work_queue_close(queue);
    }
    ck_assert_int_ge(items[1].niceness, items[0].niceness + 5);
}
END_TEST

/* Returns how many are left. */
static int leave_processors(int count)
{
    cpu_set_t set;
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    for (int i = CPU_SETSIZE; CPU_COUNT(&set) > count; i--) CPU_CLR(i - 1, &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof set, &set), 0);
    return processors();
}

START_TEST(with_few_processors_a_worker_works_on_the_loops)
{
    int all = leave_processors(2);
    queue = work_queue_new_patient(&loop, 1);
    struct work_queue *pool = work_queue_new(&loop, 1, 0);
    ck_assert_int_eq(work_submit(queue, &items[0].work), OK);
    gate_wait_inside(1);
    ck_assert_int_eq(work_submit(pool, &items[1].work), OK);
    gate_wait_inside(2);
    ck_assert_int_eq(processors(), 1);
    ck_assert_int_eq(items[0].processors, 1);
    ck_assert_int_eq(items[0].processor, sched_getcpu());
    ck_assert_int_eq(items[1].processors, all);   /* the pool's threads stay free */
    gate_open();
    work_queue_close(pool);
    work_queue_close(queue);
    run_loop();
    ck_assert_int_eq(processors(), all);
    queue = work_queue_new(&loop, 1, 0);
}
END_TEST

START_TEST(with_many_processors_a_worker_works_on_any)
{
    int all = processors();
    queue = work_queue_new_patient(&loop, 1);
    ck_assert_int_eq(work_submit(queue, &items[0].work), OK);
    gate_wait_inside(1);
    ck_assert_int_eq(processors(), all);
    ck_assert_int_eq(items[0].processors, all);
    gate_open();
}
END_TEST

static void submit_another(void)
{
    ck_assert_int_eq(work_submit(queue, &items[1].work), OK);
}

static void close_queue(void)
{
    work_queue_close(queue);
    ck_assert_int_eq(work_submit(queue, &items[2].work), ERR_CLOSED);
}

START_TEST(done_may_submit_and_close)
{
    queue = one_at_a_time(_i, 1);
    items[0].then = submit_another;
    items[1].then = close_queue;
    ck_assert_int_eq(work_submit(queue, &items[0].work), OK);
    gate_open();
    run_loop();
    ck_assert(items[0].done == 1 && items[1].done == 1 && items[2].done == 0);
    queue = work_queue_new(&loop, 1, 0);
}
END_TEST

int main(void)
{
    setenv("UV_THREADPOOL_SIZE", "4", 1);
    Suite *suite = suite_create("work");
    TCase *tcase = tcase_create("work");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, bounds_and_order);
    tcase_add_loop_test(tcase, one_at_a_time_is_first_come_first_served, 0, 2);
    tcase_add_loop_test(tcase, without_waiting_room_only_the_running_are_taken, 0, 2);
    tcase_add_loop_test(tcase, closing_ends_the_waiting_and_waits_for_the_running, 0, 2);
    tcase_add_test(tcase, closing_takes_back_what_the_pool_has_not_begun);
    tcase_add_test(tcase, a_worker_lets_others_go_first);
    tcase_add_test(tcase, with_few_processors_a_worker_works_on_the_loops);
    if (processors() > 2) tcase_add_test(tcase, with_many_processors_a_worker_works_on_any);
    tcase_add_loop_test(tcase, done_may_submit_and_close, 0, 2);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
