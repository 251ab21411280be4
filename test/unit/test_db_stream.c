/* The change stream of a real PostgreSQL: what committed, in commit order, nothing else. */
#include "fixture_pg.h"

#include "core/log.h"
#include "core/mem.h"
#include "db/stream.h"

enum { SILENCE_MS = 1000, TEXTS_MAX = 4096 };

static struct db_stream *stream;
static char texts[TEXTS_MAX][24];
static size_t lengths[TEXTS_MAX];
static int64_t times[TEXTS_MAX];
static int received, commits, lives, losses, close_at;
static bool closed;

static void on_closed(void *arg)
{
    (void) arg;
    closed = true;
}

static void on_live(void *arg)
{
    (void) arg;
    ck_assert(db_stream_is_live(stream));
    lives++;
    if (close_at == -1) db_stream_close(stream, on_closed, NULL);
}

static void on_lost(void *arg, const char *why)
{
    (void) arg;
    ck_assert(*why && !db_stream_is_live(stream));
    losses++;
    if (close_at == -2) db_stream_close(stream, on_closed, NULL);
}

static void on_message(void *arg, struct str content, int64_t committed_us)
{
    (void) arg;
    ck_assert_int_lt(received, TEXTS_MAX);
    snprintf(texts[received], sizeof texts[received], "%.*s", (int) (content.n < 23 ? content.n : 23), content.p);
    lengths[received] = content.n;
    times[received++] = committed_us;
    if (received == close_at) db_stream_close(stream, on_closed, NULL);
}

static void on_commit(void *arg)
{
    (void) arg;
    commits++;
}

static void open_stream(void)
{
    const struct db_stream_options options = {
        .url = fx.url, .on_live = on_live, .on_lost = on_lost, .on_message = on_message, .on_commit = on_commit,
        .silence_ms = SILENCE_MS,
    };
    closed = false;
    stream = db_stream_new(&fx.loop, fx.wheel, &options);
}

static void setup(void)
{
    log_setup(LOG_OFF, LOG_TEXT);
    received = commits = lives = losses = close_at = 0;
    fx_sql("SET client_min_messages = warning; DROP PUBLICATION IF EXISTS tally; CREATE PUBLICATION tally;"
           "DROP TABLE IF EXISTS t; CREATE TABLE t (a int)");
    fixture_loop_open();
    open_stream();
    WAIT(lives == 1);
}

static void teardown(void)
{
    if (!closed) db_stream_close(stream, on_closed, NULL);
    WAIT(closed);
    fixture_loop_close();
}

static void run_sql(PGconn *pg, const char *sql)
{
    PGresult *r = PQexec(pg, sql);
    ck_assert_msg(PQresultStatus(r) == PGRES_COMMAND_OK || PQresultStatus(r) == PGRES_TUPLES_OK, "%s",
                  PQerrorMessage(pg));
    PQclear(r);
}

#define EMIT(text) "SELECT pg_logical_emit_message(true, 'tally', '" text "');"

START_TEST(delivers_in_the_order_of_commits)
{
    PGconn *a = fx_connect(), *b = fx_connect();
    run_sql(a, "BEGIN; INSERT INTO t VALUES (1);" EMIT("a1"));
    run_sql(b, "BEGIN;" EMIT("b1") "INSERT INTO t VALUES (2);" EMIT("b2"));
    run_sql(a, EMIT("a2"));
    run_sql(b, "COMMIT");
    run_sql(a, "COMMIT");
    PQfinish(a);
    PQfinish(b);
    WAIT(commits == 2);
    static const char *const expected[] = { "b1", "b2", "a1", "a2" };
    ck_assert_int_eq(received, 4);
    for (int i = 0; i < 4; i++) ck_assert_str_eq(texts[i], expected[i]);
    int64_t age = clock_wall_us() - times[0];
    ck_assert_msg(age >= 0 && age < 10000000, "committed %lld us ago", (long long) age);
    ck_assert_int_eq(times[0], times[1]);
    ck_assert_int_ge(times[2], times[1]);
}
END_TEST

START_TEST(never_delivers_what_was_rolled_back_or_is_not_ours)
{
    fx_sql("BEGIN; SELECT pg_logical_emit_message(true, 'tally', 'no'); ROLLBACK");
    fx_sql("SELECT pg_logical_emit_message(true, 'other', 'no')");
    fx_sql("SELECT pg_logical_emit_message(false, 'tally', 'no')");
    fx_sql("INSERT INTO t VALUES (3)");
    fx_sql("BEGIN; SELECT pg_logical_emit_message(true, 'tally', 'kept'); SAVEPOINT s;"
           "SELECT pg_logical_emit_message(true, 'tally', 'no'); ROLLBACK TO s;" EMIT("and this") "COMMIT");
    WAIT(commits == 1);
    ck_assert_int_eq(received, 2);
    ck_assert_str_eq(texts[0], "kept");
    ck_assert_str_eq(texts[1], "and this");
}
END_TEST

START_TEST(delivers_big_and_empty_messages)
{
    fx_sql("SELECT pg_logical_emit_message(true, 'tally', repeat('x', 1 << 20))");
    fx_sql("SELECT pg_logical_emit_message(true, 'tally', '')");
    fx_sql("SELECT pg_logical_emit_message(true, 'tally', 'n' || n) FROM generate_series(1, 3000) AS n");
    WAIT(commits == 3);
    ck_assert_int_eq(received, 3002);
    ck_assert_uint_eq(lengths[0], 1 << 20);
    ck_assert_uint_eq(lengths[1], 0);
    ck_assert_str_eq(texts[2], "n1");
    ck_assert_str_eq(texts[3001], "n3000");
}
END_TEST

static const char *WALSENDER = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots";

START_TEST(is_live_again_after_a_loss)
{
    for (int i = 1; i <= 3; i++) {
        if (i < 3) {
            fx_sql("%s", WALSENDER);
        } else {
            kill(fx.postmaster, SIGINT);   /* in peace: it waits until we have said that we have taken everything */
            WAIT_MS(waitpid(fx.postmaster, NULL, WNOHANG) == fx.postmaster, 5000);
            fx_postmaster_start();
        }
        WAIT(losses == i);
        WAIT(lives == i + 1);
        fx_sql("SELECT pg_logical_emit_message(true, 'tally', 'life %d')", i);
        WAIT(received == i);
        ck_assert_str_eq(fx_sql("SELECT count(*) FROM pg_replication_slots"), "1");
    }
}
END_TEST

/* Whatever commits after on_live came is delivered, on every new life. */
START_TEST(misses_nothing_once_it_is_live)
{
    for (int i = 0; i < 5; i++) {
        fx_sql("SELECT pg_logical_emit_message(true, 'tally', 'before or not at all')");
        fx_sql("%s", WALSENDER);
        WAIT(lives == i + 2);
        int before = received;
        fx_sql("SELECT pg_logical_emit_message(true, 'tally', 'sure %d')", i);
        WAIT(received > before);
        char expected[24];
        snprintf(expected, sizeof expected, "sure %d", i);
        ck_assert_str_eq(texts[received - 1], expected);
    }
}
END_TEST

START_TEST(waits_for_transactions_that_run_while_the_slot_is_made)
{
    PGconn *pg = fx_connect();
    run_sql(pg, "BEGIN; INSERT INTO t VALUES (5)");
    fx_sql("%s", WALSENDER);
    WAIT(losses == 1);
    uint64_t start = clock_mono_ms();
    while (clock_mono_ms() - start < SILENCE_MS * 3 / 2) uv_run(&fx.loop, UV_RUN_ONCE);
    ck_assert_int_eq(lives, 1);
    run_sql(pg, "COMMIT");
    PQfinish(pg);
    WAIT(lives == 2);
    ck_assert_int_eq(losses, 1);
}
END_TEST

START_TEST(a_quiet_server_is_no_silent_server)
{
    uint64_t start = clock_mono_ms();
    while (clock_mono_ms() - start < SILENCE_MS * 3) uv_run(&fx.loop, UV_RUN_ONCE);
    ck_assert_int_eq(losses, 0);
}
END_TEST

START_TEST(a_stopped_server_is_lost_in_time)
{
    pid_t victim = (pid_t) strtol(fx_sql("SELECT active_pid FROM pg_replication_slots"), NULL, 10);
    kill(victim, SIGSTOP);
    uint64_t start = clock_mono_ms();
    WAIT(losses == 1);
    ck_assert_uint_le(clock_mono_ms() - start, SILENCE_MS + 600);
    kill(victim, SIGCONT);
    WAIT(lives == 2);
}
END_TEST

/* The slot holds no WAL that we have taken: its position follows, also when others are writing. */
START_TEST(tells_how_far_it_is)
{
    fx_sql("INSERT INTO t SELECT generate_series(1, 1000)");
    fx_sql(EMIT("x"));
    WAIT(received == 1);
    char position[64];
    snprintf(position, sizeof position, "%s", fx_sql("SELECT pg_current_wal_lsn()"));
    WAIT(*fx_sql("SELECT confirmed_flush_lsn >= '%s' FROM pg_replication_slots", position) == 't');
}
END_TEST

START_TEST(closes_in_every_state)
{
    for (int turns = 0; turns < 16; turns++) {
        db_stream_close(stream, on_closed, NULL);
        WAIT(closed);
        open_stream();
        for (int i = 0; i < turns; i++) uv_run(&fx.loop, i % 2 ? UV_RUN_ONCE : UV_RUN_NOWAIT);
    }
    static const int at[] = { -1, -2, 2 };
    for (int i = 0; i < 3; i++) {
        if (!closed) db_stream_close(stream, on_closed, NULL);
        WAIT(closed);
        received = 0;
        close_at = at[i];
        int before = lives;
        open_stream();
        WAIT(lives > before);
        if (at[i] == -2) fx_sql("%s", WALSENDER);
        if (at[i] == 2) fx_sql("%s", EMIT("1") EMIT("2") EMIT("3"));
        WAIT(closed);
    }
    ck_assert_int_eq(received, 2);
    WAIT(strcmp(fx_sql("SELECT count(*) FROM pg_replication_slots"), "0") == 0);   /* nothing is left behind */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db stream");
    TCase *t = tcase_create("stream");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, delivers_in_the_order_of_commits);
    tcase_add_test(t, never_delivers_what_was_rolled_back_or_is_not_ours);
    tcase_add_test(t, delivers_big_and_empty_messages);
    tcase_add_test(t, is_live_again_after_a_loss);
    tcase_add_test(t, misses_nothing_once_it_is_live);
    tcase_add_test(t, waits_for_transactions_that_run_while_the_slot_is_made);
    tcase_add_test(t, a_quiet_server_is_no_silent_server);
    tcase_add_test(t, a_stopped_server_is_lost_in_time);
    tcase_add_test(t, tells_how_far_it_is);
    tcase_add_test(t, closes_in_every_state);
    suite_add_tcase(suite, t);
    return fixture_pg_run(suite);
}
