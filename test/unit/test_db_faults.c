/* Connections to a PostgreSQL that dies, hangs, comes back, or is not the one we want. */
#include "fixture_pg.h"

#include "core/log.h"
#include "db/db.h"
#include "sql.h"

enum { DEADLINE_MS = 400, NOTES_MAX = 512, I_SLEEP = SQL_COUNT, I_ONE, I_INSERT, I_PID, I_BIG, I_NUMBER, I_COUNT };

static const struct sql sleep_sql = { I_SLEEP, 0, "sleep", "test/sleep.sql", "SELECT pg_sleep(20)" };
static const struct sql one_sql = { I_ONE, 0, "one", "test/one.sql", "SELECT 1" };
static const struct sql insert_sql = { I_INSERT, 0, "insert", "test/insert.sql", "INSERT INTO kept VALUES (1)" };
static const struct sql pid_sql = { I_PID, 0, "pid", "test/pid.sql", "SELECT pg_backend_pid()" };

static const struct sql big_sql = { I_BIG, 0, "big", "test/big.sql", "SELECT length($1::text)" };
static const struct sql number_sql = { I_NUMBER, 0, "number", "test/number.sql",
                                       "INSERT INTO numbers VALUES ($1::bigint)" };

static struct note {
    const char *who;
    enum err err;
} notes[NOTES_MAX];
static int noted, ups, downs;
static int64_t pid;
static struct db *db;
static bool closed, calling;

static void note(void *arg, enum err err, const struct db_result *r)
{
    ck_assert_msg(!calling, "called back from inside a call");
    ck_assert_int_lt(noted, NOTES_MAX);
    notes[noted++] = (struct note){ arg, err };
    ck_assert(r == NULL || err == OK || err == ERR_SQL);
}

static void on_pid(void *arg, enum err err, const struct db_result *r)
{
    (void) arg;
    pid = err == OK ? db_cell_i64(r, 0, 0) : -1;
}

static void on_state(void *arg, bool up)
{
    (void) arg;
    ck_assert(up == db_is_up(db));
    if (up) ups++;
    else downs++;
}

static void on_closed(void *arg)
{
    (void) arg;
    closed = true;
}

static void open_url(const char *url, int64_t schema_version)
{
    const struct db_options options = {
        .url = url, .name = "faults", .connections_max = 1, .queue_max = 32, .deadline_ms = DEADLINE_MS,
        .session = "-c statement_timeout=0", .sql_count = I_COUNT, .schema_version = schema_version,
        .on_state = on_state,
    };
    closed = false;
    db = db_new(&fx.loop, &fx.turn, fx.wheel, &options);
}

static void close_db(void)
{
    db_close(db, on_closed, NULL);
    WAIT(closed);
}

static void setup(void)
{
    log_setup(LOG_OFF, LOG_TEXT);
    noted = ups = downs = 0;
    calling = false;
    pid = 0;
    fx_sql("SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS kept (a int)");
    fixture_loop_open();
    open_url(fx.url, 0);
    WAIT(db_is_up(db));
}

static void teardown(void)
{
    close_db();
    fixture_loop_close();
}

static void exec(const struct sql *sql, const char *who)
{
    calling = true;
    ck_assert_int_eq(db_exec(db, sql, NULL, note, (void *) (uintptr_t) who), OK);
    calling = false;
}

static int64_t backend(void)
{
    ck_assert_int_eq(db_exec(db, &pid_sql, NULL, on_pid, NULL), OK);
    WAIT(pid != 0);
    return pid;
}

static struct db_unit *begin(const struct sql *sql, const char *who)
{
    struct db_unit *unit = NULL;
    ck_assert_int_eq(db_begin(db, &unit, note, (void *) (uintptr_t) who), OK);
    db_stmt(unit, sql, NULL, note, (void *) (uintptr_t) "statement");
    return unit;
}

static void sync_unit(struct db_unit *unit, const char *who)
{
    db_sync(unit, note, (void *) (uintptr_t) who);
}

static void expect(const char *who, enum err err)
{
    for (int i = 0; i < noted; i++) {
        if (strcmp(notes[i].who, who) != 0) continue;
        ck_assert_msg(notes[i].err == err, "%s: %s, not %s", who, err_info(notes[i].err)->name, err_info(err)->name);
        return;
    }
    ck_abort_msg("%s was not called", who);
}

/* Each unit says what is certain of it; nobody is called twice; the pool comes back by itself. */
START_TEST(a_killed_backend_ends_units_by_what_is_certain)
{
    int64_t victim = backend();
    exec(&one_sql, "answered");
    exec(&sleep_sql, "sent");
    exec(&one_sql, "sent behind");
    struct db_unit *open_unit = begin(&one_sql, "open");
    db_flush(open_unit);
    sync_unit(begin(&one_sql, "waiting lost"), "waiting");
    begin(&one_sql, "open behind");
    for (int i = 0; i < 3; i++) uv_run(&fx.loop, UV_RUN_ONCE);
    fx_sql("SELECT pg_terminate_backend(%lld)", (long long) victim);
    WAIT(downs == 1);
    ck_assert_int_eq(noted, 6);
    expect("answered", OK);
    expect("sent", ERR_UNCERTAIN);
    expect("sent behind", ERR_UNCERTAIN);
    expect("open", ERR_UNAVAILABLE);
    expect("waiting", ERR_UNAVAILABLE);
    expect("open behind", ERR_UNAVAILABLE);
    ck_assert_int_eq(db_queue_length(db), 0);
    ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_UNAVAILABLE);
    WAIT(db_is_up(db));
    ck_assert_int_eq(ups, 2);
    exec(&one_sql, "after");
    WAIT(noted == 7);
    expect("after", OK);
}
END_TEST

START_TEST(a_killed_idle_backend_is_noticed)
{
    fx_sql("SELECT pg_terminate_backend(%lld)", (long long) backend());
    WAIT(downs == 1);
    ck_assert_str_eq(db_trouble(db), "terminating connection due to administrator command");
    WAIT(ups == 2);
}
END_TEST

START_TEST(a_statement_with_its_answer_before_the_end_is_certain)
{
    int64_t victim = backend();
    exec(&insert_sql, "insert");
    exec(&sleep_sql, "sleep");
    usleep(100000);   /* the answer lies in the socket when the end comes; the loop sees both at once */
    fx_sql("SELECT pg_terminate_backend(%lld)", (long long) victim);
    WAIT(noted == 2);
    expect("insert", OK);
    expect("sleep", ERR_UNCERTAIN);
}
END_TEST

/* The end, and an answer before it, lie in the socket when long statements are written: libpq reads both while it
 * writes, forgets what it waits for, and says that nothing is under way when it is asked for the answer. */
START_TEST(an_answer_that_libpq_has_forgotten_is_uncertain)
{
    struct arena arena;
    struct db_args args;
    char *text = malloc(100000);
    memset(text, 'x', 100000);
    int64_t victim = backend();
    exec(&one_sql, "answered");
    usleep(100000);
    fx_sql("SELECT pg_terminate_backend(%lld)", (long long) victim);
    usleep(100000);
    arena_init(&arena);
    db_args_init(&args, &arena);
    db_text(&args, (struct str){ text, 100000 });
    ck_assert_int_eq(db_exec(db, &big_sql, &args, note, (void *) (uintptr_t) "long"), OK);
    ck_assert_int_eq(db_exec(db, &big_sql, &args, note, (void *) (uintptr_t) "cut short"), OK);
    WAIT(noted == 3);
    expect("answered", ERR_UNCERTAIN);
    expect("long", ERR_UNCERTAIN);
    expect("cut short", ERR_UNAVAILABLE);
    WAIT(db_is_up(db));
    ck_assert_int_eq(db_exec(db, &big_sql, &args, note, (void *) (uintptr_t) "again"), OK);
    WAIT(noted == 4);
    expect("again", OK);
    arena_fini(&arena);
    free(text);
}
END_TEST

/* Backends end at any moment while units go out and come back, small and long ones: each is told once, and what it is
 * told is true. */
enum { ROUNDS = 60, NUMBERS_MAX = 20000 };
static uint8_t fates[NUMBERS_MAX];     /* by number: 0 not told yet, else 1 + err */
static int64_t numbers, told;

static void on_number(void *arg, enum err err, const struct db_result *r)
{
    (void) r;
    uint8_t *fate = arg;
    ck_assert_int_eq(*fate, 0);
    *fate = (uint8_t) (1 + err);
    told++;
}

static void insert_number(struct arena *arena)
{
    struct db_args args;
    db_args_init(&args, arena);
    db_i64(&args, numbers);
    uint8_t *fate = &fates[numbers++];
    if (db_exec(db, &number_sql, &args, on_number, fate) != OK) on_number(fate, ERR_UNAVAILABLE, NULL);
}

static void send_long(struct arena *arena, const char *text, size_t n)
{
    struct db_args args;
    static uint8_t ignored[ROUNDS * 8];
    static int i;
    db_args_init(&args, arena);
    db_text(&args, (struct str){ text, n });
    ck_assert_int_lt(i, ROUNDS * 8);
    if (db_exec(db, &big_sql, &args, on_number, &ignored[i++]) == OK) told--;
}

START_TEST(backends_that_end_at_any_moment_leave_no_untruth)
{
    char *text = malloc(30000);
    struct arena arena;
    memset(text, 'x', 30000);
    fx_sql("SET client_min_messages = warning; DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n bigint)");
    for (int round = 0; round < ROUNDS; round++) {
        int64_t before = numbers;
        arena_init(&arena);
        pid = 0;
        int64_t victim = backend();
        for (int i = 0; i < 12; i++) {
            if (i % 4 == round % 4) send_long(&arena, text, 30000);
            insert_number(&arena);
            if (i == round % 13) fx_sql("SELECT pg_terminate_backend(%lld)", (long long) victim);
            if (round % 3) uv_run(&fx.loop, UV_RUN_NOWAIT);
            if (round % 5 == 0) usleep(300);
        }
        if (round % 13 == 12) fx_sql("SELECT pg_terminate_backend(%lld)", (long long) victim);
        WAIT(told == numbers && db_queue_length(db) == 0);
        WAIT(downs == round + 1 && db_is_up(db));
        for (int64_t n = before; n < numbers; n++) {
            bool there = *fx_sql("SELECT 1 FROM numbers WHERE n = %lld", (long long) n) != 0;
            ck_assert_msg(fates[n] != 1 + OK || there, "%lld is said to be done and is not", (long long) n);
            ck_assert_msg(fates[n] == 1 + OK || fates[n] == 1 + ERR_UNCERTAIN || !there,
                          "%lld is said not to be done (%s) and is", (long long) n, err_info(fates[n] - 1)->name);
        }
        arena_fini(&arena);
    }
    free(text);
}
END_TEST

START_TEST(a_stopped_backend_meets_the_deadline)
{
    pid_t victim = (pid_t) backend();
    exec(&sleep_sql, "sent");
    struct db_unit *unit = begin(&one_sql, "open");
    (void) unit;
    kill(victim, SIGSTOP);
    uint64_t start = clock_mono_ms();
    WAIT(downs == 1);
    ck_assert_uint_ge(clock_mono_ms() - start, DEADLINE_MS - 50);
    ck_assert_uint_le(clock_mono_ms() - start, DEADLINE_MS + 400);
    expect("sent", ERR_UNCERTAIN);
    WAIT(db_is_up(db));   /* another backend */
    kill(victim, SIGCONT);
    exec(&one_sql, "after");
    WAIT(noted == 3);
    expect("after", OK);
}
END_TEST

START_TEST(units_that_were_never_sent_time_out)
{
    struct db_unit *unit = begin(&one_sql, "idle");   /* its owner never goes on */
    (void) unit;
    exec(&one_sql, "behind");
    WAIT(noted == 2);
    expect("idle", ERR_TIMEOUT);
    ck_assert(notes[1].err == ERR_TIMEOUT || notes[1].err == ERR_UNAVAILABLE);
    WAIT(db_is_up(db));
}
END_TEST

START_TEST(a_stopped_server_delays_nobody_and_is_found_again)
{
    int64_t victim = backend();
    kill((pid_t) victim, SIGSTOP);
    kill(fx.postmaster, SIGSTOP);
    exec(&one_sql, "sent");
    WAIT(downs == 1);
    expect("sent", ERR_UNCERTAIN);
    for (int i = 0; i < 20; i++) {   /* it accepts, and says nothing */
        uv_run(&fx.loop, UV_RUN_ONCE);
        ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_UNAVAILABLE);
    }
    kill((pid_t) victim, SIGCONT);
    kill(fx.postmaster, SIGCONT);
    WAIT_MS(db_is_up(db), 2000);
}
END_TEST

START_TEST(a_restarted_server_is_found_within_a_second)
{
    static const int signals[] = { SIGINT, SIGQUIT };
    for (int i = 0; i < 2; i++) {
        fx_postmaster_stop(signals[i]);
        WAIT(downs == i + 1);
        uint64_t start = clock_mono_ms();
        while (clock_mono_ms() - start < 1500) {
            uv_run(&fx.loop, UV_RUN_ONCE);
            ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_UNAVAILABLE);
        }
        ck_assert_str_ne(db_trouble(db), "");
        fx_postmaster_start();
        WAIT_MS(db_is_up(db), 1000);
        ck_assert_str_eq(db_trouble(db), "");
    }
    ck_assert_int_eq(ups, 3);
}
END_TEST

START_TEST(a_read_only_server_is_refused_until_it_is_writable)
{
    fx_sql("ALTER ROLE tally SET default_transaction_read_only = on");
    fx_sql("SELECT pg_terminate_backend(%lld)", (long long) backend());
    WAIT(strcmp(db_trouble(db), "read-only") == 0);
    ck_assert(!db_is_up(db));
    ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_UNAVAILABLE);
    fx_sql("SET transaction_read_only = off; ALTER ROLE tally RESET default_transaction_read_only");
    WAIT_MS(db_is_up(db), 2000);
    ck_assert_int_eq(ups, 2);
}
END_TEST

START_TEST(a_server_that_became_read_only_is_left)
{
    exec(&one_sql, "before");
    WAIT(noted == 1);
    fx_sql("ALTER SYSTEM SET default_transaction_read_only = on");
    fx_sql("SELECT pg_reload_conf()");
    while (downs == 0) {   /* until the setting has reached the backend */
        if (db_queue_length(db) == 0) db_exec(db, &insert_sql, NULL, note, (void *) (uintptr_t) "insert");
        uv_run(&fx.loop, UV_RUN_ONCE);
    }
    ck_assert_int_eq(notes[noted - 1].err, ERR_SQL);
    WAIT(strcmp(db_trouble(db), "read-only") == 0);
    PGconn *pg = fx_connect();
    PQclear(PQexec(pg, "SET default_transaction_read_only = off"));
    PQclear(PQexec(pg, "ALTER SYSTEM RESET default_transaction_read_only"));
    PQclear(PQexec(pg, "SELECT pg_reload_conf()"));
    PQfinish(pg);
    WAIT(db_is_up(db));
}
END_TEST

START_TEST(takes_the_host_that_answers)
{
    char url[256];
    close_db();
    /* The first refuses after a while, and libpq takes another socket for the second. */
    snprintf(url, sizeof url, "host=127.0.0.1,/nowhere,%s port=1,5432,5432 dbname=postgres user=tally", fx.dir);
    open_url(url, 0);
    WAIT(db_is_up(db));
    exec(&one_sql, "one");
    WAIT(noted == 1);
}
END_TEST

START_TEST(another_schema_is_refused_until_it_is_migrated)
{
    close_db();
    open_url(fx.url, 4);
    WAIT(strcmp(db_trouble(db), "not migrated") == 0);
    fx_sql("CREATE TABLE schema_migrations (version bigint PRIMARY KEY)");
    WAIT(strcmp(db_trouble(db), "schema version 0, expected 4") == 0);
    fx_sql("INSERT INTO schema_migrations VALUES (3)");
    WAIT(strcmp(db_trouble(db), "schema version 3, expected 4") == 0);
    fx_sql("INSERT INTO schema_migrations VALUES (4)");
    WAIT(db_is_up(db));
    fx_sql("DROP TABLE schema_migrations");
}
END_TEST

START_TEST(says_why_it_cannot_connect)
{
    static const struct {
        const char *url, *trouble;
    } cases[] = {
        { "postgresql:///postgres?host=/nowhere", "No such file or directory" },
        { "postgresql://127.0.0.1:1/postgres", "Connection refused" },
        { "postgresql://[", "malformed connection string" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        close_db();
        open_url(cases[i].url, 0);
        WAIT(strcmp(db_trouble(db), cases[i].trouble) == 0);
        ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_UNAVAILABLE);
    }
}
END_TEST

START_TEST(closes_in_every_state)
{
    for (int turns = 0; turns < 24; turns++) {
        close_db();
        open_url(fx.url, 0);
        for (int i = 0; i < turns; i++) uv_run(&fx.loop, i % 2 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        noted = 0;
        if (!db_is_up(db)) continue;
        exec(&one_sql, "exec");
        struct db_unit *unit = begin(&one_sql, "lost");
        if (turns % 2) db_flush(unit);
        if (turns % 3 == 0) sync_unit(unit, "end");
        close_db();
        if (turns % 3 == 0) expect("end", OK);
        else expect("lost", turns % 2 ? ERR_UNAVAILABLE : ERR_TIMEOUT);
        expect("exec", OK);
        open_url(fx.url, 0);
    }
}
END_TEST

static void close_inside(void *arg, enum err err, const struct db_result *r)
{
    note(arg, err, r);
    db_close(db, on_closed, NULL);
}

START_TEST(closes_inside_of_a_callback)
{
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(db_exec(db, i ? &sleep_sql : &one_sql, NULL, close_inside, (void *) (uintptr_t) "exec"), OK);
        if (i) fx_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'faults'");
        WAIT(closed);
        open_url(fx.url, 0);
        WAIT(db_is_up(db));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db faults");
    TCase *t = tcase_create("faults");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_killed_backend_ends_units_by_what_is_certain);
    tcase_add_test(t, a_killed_idle_backend_is_noticed);
    tcase_add_test(t, a_statement_with_its_answer_before_the_end_is_certain);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, an_answer_that_libpq_has_forgotten_is_uncertain);
    tcase_add_test(t, backends_that_end_at_any_moment_leave_no_untruth);
    tcase_add_test(t, a_stopped_backend_meets_the_deadline);
    tcase_add_test(t, units_that_were_never_sent_time_out);
    tcase_add_test(t, a_stopped_server_delays_nobody_and_is_found_again);
    tcase_add_test(t, a_restarted_server_is_found_within_a_second);
    tcase_add_test(t, a_read_only_server_is_refused_until_it_is_writable);
    tcase_add_test(t, a_server_that_became_read_only_is_left);
    tcase_add_test(t, takes_the_host_that_answers);
    tcase_add_test(t, another_schema_is_refused_until_it_is_migrated);
    tcase_add_test(t, says_why_it_cannot_connect);
    tcase_add_test(t, closes_in_every_state);
    tcase_add_test(t, closes_inside_of_a_callback);
    suite_add_tcase(suite, t);
    return fixture_pg_run(suite);
}
