/* Statements and units on a real PostgreSQL that is well. See test_db_faults.c for one that is not. */
#include "fixture_pg.h"

#include "core/log.h"
#include "db/db.h"
#include "sql.h"

enum { QUEUE_MAX = 64, DEADLINE_MS = 5000, NOTES_MAX = 256 };

#define SQL_TABLE(X) \
    X(one, 0, "SELECT 1") \
    X(values, 4, "SELECT $1::bigint + 1, NOT $2::boolean, $3::text, encode($4::bytea, 'hex'), NULL") \
    X(echo, 1, "SELECT $1::text") \
    X(numbers, 1, "SELECT coalesce(json_agg(x)::text, '-') FROM unnest($1::bigint[]) AS x") \
    X(texts, 1, "SELECT coalesce(json_agg(x)::text, '-') FROM unnest($1::text[]) AS x") \
    X(uuids, 1, "SELECT coalesce(json_agg(x)::text, '-') FROM unnest($1::uuid[]) AS x") \
    X(insert, 2, "INSERT INTO item (id, label) VALUES ($1::bigint, $2::text)") \
    X(update, 0, "UPDATE item SET label = label || '!'") \
    X(lock, 1, "SELECT label FROM item WHERE id = $1::bigint FOR UPDATE") \
    X(count, 0, "SELECT count(*) FROM item") \
    X(divide, 1, "SELECT 1 / $1::bigint") \
    X(wrong, 0, "SELECT FROM WHERE") \
    X(absent, 0, "SELECT 1 FROM absent") \
    X(all, 0, "SELECT * FROM drift") \
    X(late, 1, "INSERT INTO late (item) VALUES ($1::bigint)") \
    X(sleep, 1, "SELECT pg_sleep($1::float8)") \
    X(fresh, 0, "SELECT 'fresh'") \
    X(pid, 0, "SELECT pg_backend_pid()")

#define AS_INDEX(n, p, t) I_##n,
enum { I_FIRST = SQL_COUNT - 1, SQL_TABLE(AS_INDEX) I_COUNT };
#define AS_SQL(n, p, t) static const struct sql n##_sql = { I_##n, p, #n, "test/" #n ".sql", t };
SQL_TABLE(AS_SQL)

/* What a callback was told, in the order of the calls. */
static struct note {
    const char *who;
    enum err err;
    int rows, affected;
    char cell[256], sqlstate[8], constraint[32];
} notes[NOTES_MAX];
static int noted;
static struct db *db;
static struct arena arena;
static int ups, downs;
static bool closed, calling;
static PGconn *other;             /* another session that holds something; a test that fails leaves it to teardown */

static void note(void *arg, enum err err, const struct db_result *r)
{
    ck_assert_msg(!calling, "called back from inside a call");
    ck_assert_int_lt(noted, NOTES_MAX);
    struct note *n = &notes[noted++];
    *n = (struct note){ .who = arg, .err = err };
    ck_assert((r != NULL) || (err != ERR_SQL));
    if (!r) return;
    n->rows = db_rows(r);
    n->affected = db_affected(r);
    if (err == OK && n->rows > 0) snprintf(n->cell, sizeof n->cell, "%.*s", STR_FMT(db_cell(r, 0, 0)));
    snprintf(n->sqlstate, sizeof n->sqlstate, "%s", db_sqlstate(r));
    snprintf(n->constraint, sizeof n->constraint, "%s", db_constraint(r));
}

static void on_state(void *arg, bool up)
{
    (void) arg;
    if (up) ups++;
    else downs++;
}

static void on_closed(void *arg)
{
    (void) arg;
    closed = true;
}

static void open_db(int connections_max, int queue_max)
{
    const struct db_options options = {
        .url = fx.url, .name = "test", .connections_max = connections_max, .queue_max = queue_max,
        .deadline_ms = DEADLINE_MS, .sql_count = I_COUNT, .on_state = on_state,
    };
    db = db_new(&fx.loop, &fx.turn, fx.wheel, &options);
    WAIT(db_is_up(db));
}

static void setup(void)
{
    log_setup(LOG_OFF, LOG_TEXT);
    fx_sql("SET client_min_messages = warning; DROP TABLE IF EXISTS late, item, drift, absent; "
           "CREATE TABLE item (id bigint CONSTRAINT item_once PRIMARY KEY, label text NOT NULL); "
           "CREATE TABLE late (item bigint CONSTRAINT late_item REFERENCES item DEFERRABLE INITIALLY DEFERRED); "
           "CREATE TABLE drift (a int); INSERT INTO drift VALUES (1)");
    noted = ups = downs = 0;
    closed = calling = false;
    arena_init(&arena);
    fixture_loop_open();
    open_db(1, QUEUE_MAX);
}

static void let_go(void)
{
    PQfinish(other);
    other = NULL;
}

static void teardown(void)
{
    let_go();
    db_close(db, on_closed, NULL);
    WAIT(closed);
    ck_assert_int_eq(downs, 0);   /* in this file the database is never away */
    fixture_loop_close();
    arena_fini(&arena);
}

static struct db_args *args(void)
{
    struct db_args *a = arena_new(&arena, struct db_args);
    db_args_init(a, &arena);
    return a;
}

static struct db_args *number(int64_t v)
{
    struct db_args *a = args();
    db_i64(a, v);
    return a;
}

static struct db_args *item(int64_t id, const char *label)
{
    struct db_args *a = number(id);
    db_text(a, str_from(label));
    return a;
}

static void exec(const struct sql *sql, const struct db_args *a, const char *who)
{
    calling = true;
    ck_assert_int_eq(db_exec(db, sql, a, note, (void *) (uintptr_t) who), OK);
    calling = false;
}

static struct note *exec_wait(const struct sql *sql, const struct db_args *a)
{
    int before = noted;
    exec(sql, a, sql->name);
    WAIT(noted > before);
    return &notes[noted - 1];
}

static struct db_unit *begin(const char *who)
{
    struct db_unit *unit = NULL;
    calling = true;
    ck_assert_int_eq(db_begin(db, &unit, note, (void *) (uintptr_t) who), OK);
    calling = false;
    return unit;
}

static void stmt(struct db_unit *unit, const struct sql *sql, const struct db_args *a, const char *who)
{
    calling = true;
    db_stmt(unit, sql, a, note, (void *) (uintptr_t) who);
    calling = false;
}

static void flush(struct db_unit *unit)
{
    calling = true;
    db_flush(unit);
    calling = false;
}

static void sync_unit(struct db_unit *unit, const char *who)
{
    calling = true;
    db_sync(unit, note, (void *) (uintptr_t) who);
    calling = false;
}

static void expect(int at, const char *who, enum err err)
{
    ck_assert_int_lt(at, noted);
    ck_assert_str_eq(notes[at].who, who);
    ck_assert_msg(notes[at].err == err, "%s: %s, not %s (%s)", who, err_info(notes[at].err)->name, err_info(err)->name,
                  notes[at].sqlstate);
}

START_TEST(passes_values_both_ways)
{
    struct db_args *a = number(41);
    db_bool(a, false);
    db_text(a, STR("zw\xc3\xb6lf '\\"));
    db_bytes(a, (struct str){ "\0\xff", 2 });
    struct note *n = exec_wait(&values_sql, a);
    ck_assert_str_eq(n->cell, "42");
    ck_assert_int_eq(n->rows, 1);
    a = args();
    db_text(a, STR_NONE);
    ck_assert_int_eq(exec_wait(&echo_sql, a)->rows, 1);
    ck_assert_str_eq(notes[noted - 1].cell, "");
    a = args();
    db_text(a, (struct str){ "a\0b", 3 });   /* refused, not cut */
    ck_assert_str_eq(exec_wait(&echo_sql, a)->sqlstate, "22021");
    exec_wait(&insert_sql, item(1, "a"));
    exec_wait(&insert_sql, item(2, "b"));
    ck_assert_int_eq(exec_wait(&update_sql, NULL)->affected, 2);
}
END_TEST

START_TEST(passes_arrays)
{
    static const int64_t numbers[] = { 1, INT64_MIN, -5, INT64_MAX };
    static const struct str texts[] = { { "a", 1 }, { NULL, 0 }, { "", 0 }, { "\"\xc3\xa4", 3 } };
    static const uint8_t uuids[2][16] = { { 0x12, 0x34 }, { 0xff } };
    struct db_args *a = args();
    db_i64_array(a, numbers, 4);
    ck_assert_str_eq(exec_wait(&numbers_sql, a)->cell, "[1, null, -5, 9223372036854775807]");
    a = args();
    db_text_array(a, texts, 4);
    ck_assert_str_eq(exec_wait(&texts_sql, a)->cell, "[\"a\", null, \"\", \"\\\"\xc3\xa4\"]");
    a = args();
    db_uuid_array(a, uuids, 2);
    ck_assert_str_eq(exec_wait(&uuids_sql, a)->cell,
                     "[\"12340000-0000-0000-0000-000000000000\", \"ff000000-0000-0000-0000-000000000000\"]");
    a = args();
    db_i64_array(a, numbers, 0);
    ck_assert_str_eq(exec_wait(&numbers_sql, a)->cell, "-");
    a = args();
    db_text_array(a, texts, 0);
    ck_assert_str_eq(exec_wait(&texts_sql, a)->cell, "-");
}
END_TEST

START_TEST(passes_what_is_larger_than_any_buffer)
{
    enum { SIZE = 8 << 20 };
    char *text = malloc(SIZE);
    memset(text, 'x', SIZE);
    for (int i = 0; i < 2; i++) {
        struct db_args *a = args();
        db_text(a, (struct str){ text, SIZE });
        exec(&echo_sql, a, "big");
    }
    free(text);
    exec(&one_sql, NULL, "small");
    WAIT(noted == 3);
    expect(0, "big", OK);
    expect(1, "big", OK);
    ck_assert_int_eq((int) strlen(notes[0].cell), 255);
    expect(2, "small", OK);
}
END_TEST

START_TEST(tells_what_was_refused)
{
    exec_wait(&insert_sql, item(1, "a"));
    ck_assert_str_eq(exec_wait(&insert_sql, item(1, "b"))->sqlstate, "23505");
    ck_assert_str_eq(notes[noted - 1].constraint, "item_once");
    ck_assert_str_eq(exec_wait(&wrong_sql, NULL)->sqlstate, "42601");
    ck_assert_str_eq(exec_wait(&divide_sql, number(0))->sqlstate, "22012");
    ck_assert_int_eq(exec_wait(&one_sql, NULL)->err, OK);
}
END_TEST

static struct db_unit *asking;

/* Looks at the locked row, then decides: inside the unit. */
static void on_locked(void *arg, enum err err, const struct db_result *r)
{
    note(arg, err, r);
    db_stmt(asking, &insert_sql, item(2, "second"), note, (void *) (uintptr_t) "insert");
    db_sync(asking, note, (void *) (uintptr_t) "end");
}

START_TEST(decides_inside_a_unit)
{
    exec_wait(&insert_sql, item(1, "first"));
    noted = 0;
    asking = begin("lost");
    db_stmt(asking, &lock_sql, number(1), on_locked, (void *) (uintptr_t) "lock");
    ck_assert_int_eq(noted, 0);
    flush(asking);
    exec(&count_sql, NULL, "count");   /* waits behind the open unit and sees what it commits */
    WAIT(noted == 4);
    expect(0, "lock", OK);
    ck_assert_str_eq(notes[0].cell, "first");
    expect(1, "insert", OK);
    expect(2, "end", OK);
    expect(3, "count", OK);
    ck_assert_str_eq(notes[3].cell, "2");
}
END_TEST

START_TEST(rolls_back_one_unit_and_no_neighbour)
{
    struct db_unit *a = begin("a lost"), *b;
    stmt(a, &insert_sql, item(1, "a"), "a1");
    sync_unit(a, "a end");
    b = begin("b lost");
    stmt(b, &insert_sql, item(2, "b"), "b1");
    stmt(b, &divide_sql, number(0), "b2");
    stmt(b, &insert_sql, item(3, "b"), "b3");
    sync_unit(b, "b end");
    exec(&insert_sql, item(4, "c"), "c");
    WAIT(noted == 6);
    expect(0, "a1", OK);
    expect(1, "a end", OK);
    expect(2, "b1", OK);
    expect(3, "b2", ERR_SQL);
    expect(4, "b end", ERR_SQL);   /* and b3 was not called */
    ck_assert_str_eq(notes[4].sqlstate, "22012");
    expect(5, "c", OK);
    ck_assert_str_eq(fx_sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM item"), "1 4");
}
END_TEST

START_TEST(ends_an_open_unit_that_fails)
{
    struct db_unit *a = begin("a lost");
    stmt(a, &insert_sql, item(1, "a"), "a1");
    stmt(a, &divide_sql, number(0), "a2");
    flush(a);
    exec(&one_sql, NULL, "next");
    WAIT(noted == 4);
    expect(0, "a1", OK);
    expect(1, "a2", ERR_SQL);
    expect(2, "a lost", ERR_SQL);
    expect(3, "next", OK);
    a = begin("b lost");
    stmt(a, &wrong_sql, NULL, "b1");   /* fails when it is prepared already */
    flush(a);
    WAIT(noted == 6);
    expect(4, "b1", ERR_SQL);
    expect(5, "b lost", ERR_SQL);
    ck_assert_str_eq(notes[5].sqlstate, "42601");
    ck_assert_str_eq(exec_wait(&count_sql, NULL)->cell, "0");
    ck_assert_int_eq(db_queue_length(db), 0);
}
END_TEST

START_TEST(tells_a_refused_commit)
{
    struct db_unit *a = begin("lost");
    stmt(a, &late_sql, number(77), "late");
    sync_unit(a, "end");
    exec(&one_sql, NULL, "next");
    WAIT(noted == 3);
    expect(0, "late", OK);
    expect(1, "end", ERR_SQL);
    ck_assert_str_eq(notes[1].sqlstate, "23503");
    ck_assert_str_eq(notes[1].constraint, "late_item");
    expect(2, "next", OK);
}
END_TEST

/* The commit of a late item waits for the row that another session has locked. */
static void waits_at_its_commit(void (*sync)(struct db_unit *unit, db_done on_end, void *arg), int told)
{
    other = fx_connect();
    PQclear(PQexec(other, "BEGIN; SELECT 1 FROM item WHERE id = 5 FOR UPDATE"));
    struct db_unit *a = begin("lost");
    stmt(a, &late_sql, number(5), "late");
    calling = true;
    sync(a, note, (void *) (uintptr_t) "end");
    calling = false;
    WAIT(strcmp(fx_sql("SELECT count(*) FROM pg_locks WHERE NOT granted"), "1") == 0 && noted == told);
    let_go();
    WAIT(noted == 2);
    expect(0, "late", OK);
    expect(1, "end", OK);
    noted = 0;
}

START_TEST(tells_the_answers_before_the_commit)
{
    exec_wait(&insert_sql, item(5, "locked"));
    noted = 0;
    waits_at_its_commit(db_sync, 0);
    waits_at_its_commit(db_flush_sync, 1);
    ck_assert_str_eq(exec_wait(&one_sql, NULL)->cell, "1");
}
END_TEST

START_TEST(answers_in_order)
{
    static char names[40][12];
    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof names[i], "%d", i);
        if (i % 3 == 0) {
            struct db_unit *unit = begin("lost");
            struct db_args *a = args();
            db_text(a, str_from(names[i]));
            stmt(unit, &echo_sql, a, names[i]);
            sync_unit(unit, names[i]);
        } else {
            exec(i % 7 ? &one_sql : &wrong_sql, NULL, names[i]);
        }
    }
    ck_assert_int_eq(noted, 0);
    ck_assert_int_eq(db_queue_length(db), 40);
    WAIT(db_queue_length(db) == 0);
    int last = 0;
    for (int i = 0; i < noted; i++) {
        int who = (int) strtol(notes[i].who, NULL, 10);
        ck_assert_int_ge(who, last);
        if (i > 0 && who == last) ck_assert_int_eq(who % 3, 0);
        last = who;
        ck_assert_int_eq(notes[i].err, who % 3 != 0 && who % 7 == 0 ? ERR_SQL : OK);
    }
    ck_assert_int_eq(noted, 40 + 14);
}
END_TEST

START_TEST(begins_the_next_before_the_last_is_answered)
{
    struct db_unit *a = begin("a lost");
    stmt(a, &insert_sql, item(1, "a"), "a1");
    struct db_unit *b = begin("b lost");   /* a is still open: b waits */
    stmt(b, &insert_sql, item(2, "b"), "b1");
    sync_unit(b, "b end");
    struct db_unit *c = begin("c lost");
    stmt(c, &lock_sql, number(2), "c1");
    flush(c);
    for (int i = 0; i < 20; i++) uv_run(&fx.loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(noted, 0);
    sync_unit(a, "a end");
    WAIT(noted == 5);
    expect(1, "a end", OK);
    expect(3, "b end", OK);
    expect(4, "c1", OK);
    ck_assert_str_eq(notes[4].cell, "b");
    sync_unit(c, "c end");
    WAIT(noted == 6);
    expect(5, "c end", OK);
}
END_TEST

START_TEST(refuses_beyond_its_bound)
{
    struct db_unit *a = begin("lost");
    for (int i = 1; i < QUEUE_MAX; i++) exec(&one_sql, NULL, "one");
    ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_FULL);
    struct db_unit *b = NULL;
    ck_assert_int_eq(db_begin(db, &b, note, NULL), ERR_FULL);
    sync_unit(a, "end");
    WAIT(noted == QUEUE_MAX);
    exec(&one_sql, NULL, "again");
    WAIT(noted == QUEUE_MAX + 1);
}
END_TEST

START_TEST(prepares_anew_when_the_schema_changes)
{
    ck_assert_int_eq(exec_wait(&all_sql, NULL)->err, OK);
    fx_sql("ALTER TABLE drift ALTER a TYPE text");
    ck_assert_str_eq(exec_wait(&all_sql, NULL)->sqlstate, "0A000");
    ck_assert_int_eq(exec_wait(&all_sql, NULL)->err, OK);
    ck_assert_str_eq(exec_wait(&absent_sql, NULL)->sqlstate, "42P01");
    fx_sql("CREATE TABLE absent (a int)");
    ck_assert_int_eq(exec_wait(&absent_sql, NULL)->err, OK);
    fx_sql("DROP TABLE absent");
    ck_assert_str_eq(exec_wait(&absent_sql, NULL)->sqlstate, "42P01");
    fx_sql("CREATE TABLE absent (a int)");
    ck_assert_int_eq(exec_wait(&absent_sql, NULL)->err, OK);
}
END_TEST

START_TEST(does_not_rely_on_anothers_aborted_prepare)
{
    struct db_unit *a = begin("lost");
    stmt(a, &divide_sql, number(0), "divide");
    flush(a);
    stmt(a, &fresh_sql, NULL, "fresh");   /* its Parse will be skipped */
    sync_unit(a, "end");
    exec(&fresh_sql, NULL, "other");
    exec(&fresh_sql, NULL, "third");
    WAIT(noted == 4);
    expect(0, "divide", ERR_SQL);
    expect(1, "end", ERR_SQL);
    expect(2, "other", OK);
    expect(3, "third", OK);
    ck_assert_int_eq(exec_wait(&fresh_sql, NULL)->err, OK);
}
END_TEST

static void reopen(int connections_max)
{
    db_close(db, on_closed, NULL);
    WAIT(closed);
    closed = false;
    open_db(connections_max, QUEUE_MAX);
}

START_TEST(opens_another_when_all_are_busy)
{
    reopen(3);
    struct db_unit *a = begin("lost");
    stmt(a, &pid_sql, NULL, "a");
    flush(a);
    exec(&one_sql, NULL, "behind");
    WAIT(strcmp(fx_sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test'"), "2") == 0);
    /* Until it is ready, all wait behind the open unit; then one is answered on the other connection. */
    while (noted < 2 && db_queue_length(db) < QUEUE_MAX) {
        exec(&pid_sql, NULL, "beside");
        uv_run(&fx.loop, UV_RUN_ONCE);
    }
    WAIT(noted >= 2);
    expect(0, "a", OK);
    expect(1, "beside", OK);
    ck_assert_str_ne(notes[0].cell, notes[1].cell);
    sync_unit(a, "end");
    WAIT(db_queue_length(db) == 0);
}
END_TEST

START_TEST(ends_what_is_under_way_before_it_closes)
{
    struct db_args *a = args();
    db_text(a, STR("0.2"));
    exec(&sleep_sql, a, "sleep");
    exec(&one_sql, NULL, "one");
    db_close(db, on_closed, NULL);
    ck_assert_int_eq(db_exec(db, &one_sql, NULL, note, NULL), ERR_CLOSED);
    WAIT(closed);
    ck_assert_int_eq(noted, 2);
    expect(0, "sleep", OK);
    expect(1, "one", OK);
    closed = false;
    open_db(1, QUEUE_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db");
    TCase *t = tcase_create("units");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, passes_values_both_ways);
    tcase_add_test(t, passes_arrays);
    tcase_add_test(t, passes_what_is_larger_than_any_buffer);
    tcase_add_test(t, tells_what_was_refused);
    tcase_add_test(t, decides_inside_a_unit);
    tcase_add_test(t, rolls_back_one_unit_and_no_neighbour);
    tcase_add_test(t, ends_an_open_unit_that_fails);
    tcase_add_test(t, tells_a_refused_commit);
    tcase_add_test(t, tells_the_answers_before_the_commit);
    tcase_add_test(t, answers_in_order);
    tcase_add_test(t, begins_the_next_before_the_last_is_answered);
    tcase_add_test(t, refuses_beyond_its_bound);
    tcase_add_test(t, prepares_anew_when_the_schema_changes);
    tcase_add_test(t, does_not_rely_on_anothers_aborted_prepare);
    tcase_add_test(t, opens_another_when_all_are_busy);
    tcase_add_test(t, ends_what_is_under_way_before_it_closes);
    suite_add_tcase(suite, t);
    return fixture_pg_run(suite);
}
