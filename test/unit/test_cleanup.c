/* What is past is forgotten a minute after the start and every hour from then on, by a clock that the test drives. */
#include "fixture_pg.h"

#include "core/log.h"
#include "db/migrate.h"
#include "domain/cleanup/cleanup.h"
#include "migrations.h"
#include "sql.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, FULL = 5000 };

static const struct sql nothing_sql = { .index = SQL_COUNT, .name = "nothing", .file = "test", .text = "SELECT 1" };
static struct app app;
static struct wheel *clock_by_hand;
static struct cleanup *cleanup;
static bool answered, closed;

static void on_answer(void *arg, enum err err, const struct db_result *r)
{
    (void) arg, (void) r;
    ck_assert_int_eq(err, OK);
    answered = true;
}

static void on_closed(void *arg)
{
    (void) arg;
    closed = true;
}

static void setup(void)
{
    const char *fault = NULL;
    log_setup(LOG_OFF, LOG_TEXT);
    struct db_blocking *blocking = db_blocking_open(fx.url, &fault);
    ck_assert_msg(blocking && db_migrate(blocking, migrations_all, NULL, &fault) == OK, "%s", fault);
    db_blocking_close(blocking);
    fx_sql("TRUNCATE attempts");
    fixture_loop_open();
    closed = false;
    /* One connection: its answers come in the order of the questions. Its deadlines have a clock of their own. */
    const struct db_options options = { .url = fx.url, .name = "test", .connections_max = 1, .queue_max = 8,
                                        .deadline_ms = 5000, .sql_count = SQL_COUNT + 1 };
    app.loop = &fx.loop;
    app.db = db_new(&fx.loop, &fx.turn, fx.wheel, &options);
    WAIT(db_is_up(app.db));
    app.wheel = clock_by_hand = wheel_new(&fx.loop);
    cleanup = cleanup_new(&app);
}

static void teardown(void)
{
    db_close(app.db, on_closed, NULL);
    WAIT(closed);
    cleanup_free(cleanup);
    wheel_close(clock_by_hand);
    fixture_loop_close();
}

static void put_old(int n)
{
    fx_sql("INSERT INTO attempts (kind, target, created_at) SELECT 'test', 'old', now() - interval '2 days' "
           "FROM generate_series(1, %d)", n);
}

/* How many are left when the clock has gone on by so much, and what was asked of the database then is answered. A timer
 * may be a tick late. */
static int left_after(uint64_t ms)
{
    struct arena arena;
    struct db_args args;
    wheel_advance(clock_by_hand, ms);
    answered = false;
    arena_init(&arena);
    db_args_init(&args, &arena);
    ck_assert_int_eq(db_exec(app.db, &nothing_sql, &args, on_answer, NULL), OK);
    WAIT(answered);
    arena_fini(&arena);
    return atoi(fx_sql("SELECT count(*) FROM attempts WHERE target = 'old'"));
}

START_TEST(after_a_minute_and_then_every_hour)
{
    put_old(3);
    ck_assert_int_eq(left_after(MINUTE - SECOND), 3);
    ck_assert_int_eq(left_after(2 * SECOND), 0);
    for (int hour = 0; hour < 3; hour++) {
        put_old(2);
        ck_assert_int_eq(left_after(HOUR - SECOND), 2);
        ck_assert_int_eq(left_after(2 * SECOND), 0);
    }
}
END_TEST

START_TEST(a_second_later_when_there_was_more_than_one_statement_takes)
{
    put_old(FULL + 7);
    ck_assert_int_eq(left_after(MINUTE + SECOND), 7);
    ck_assert_int_eq(left_after(2 * SECOND), 0);
    put_old(1);
    ck_assert_int_eq(left_after(HOUR - SECOND), 1);
    ck_assert_int_eq(left_after(2 * SECOND), 0);
}
END_TEST

/* A run that fails is not the last one. */
START_TEST(an_hour_after_a_failure)
{
    put_old(1);
    fx_sql("ALTER TABLE phone_codes RENAME TO away");
    ck_assert_int_eq(left_after(MINUTE + SECOND), 1);
    fx_sql("ALTER TABLE away RENAME TO phone_codes");
    ck_assert_int_eq(left_after(HOUR - SECOND), 1);
    ck_assert_int_eq(left_after(2 * SECOND), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cleanup");
    TCase *tcase = tcase_create("cleanup");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, after_a_minute_and_then_every_hour);
    tcase_add_test(tcase, a_second_later_when_there_was_more_than_one_statement_takes);
    tcase_add_test(tcase, an_hour_after_a_failure);
    suite_add_tcase(suite, tcase);
    return fixture_pg_run(suite);
}
