/* Migrations and the operator's check, on a real PostgreSQL. */
#include "fixture_pg.h"

#include "db/migrate.h"

static const struct sql first = { 0, 0, "migrations_0001_ground", "migrations/0001_ground.sql",
                                  "CREATE TABLE ground (a int); INSERT INTO ground VALUES (1), (2);" };
static const struct sql second = { 1, 0, "migrations_0002_more", "migrations/0002_more.sql",
                                   "ALTER TABLE ground ADD b int; -- comment at the end" };
static const struct sql broken = { 2, 0, "migrations_0003_broken", "migrations/0003_broken.sql",
                                   "CREATE TABLE half (a int); INSERT INTO nowhere VALUES (1);" };
static const struct sql ending = { 2, 0, "migrations_0003_ending", "migrations/0003_ending.sql", "SELECT 1; COMMIT;" };

static struct db_blocking *db;
static char applied[256];
static const char *fault;

static void on_progress(const char *name)
{
    size_t n = strlen(applied);
    snprintf(applied + n, sizeof applied - n, "%s ", name);
}

static void setup(void)
{
    fx_sql("SET client_min_messages = warning; DROP TABLE IF EXISTS schema_migrations, ground, half");
    applied[0] = 0;
    fault = NULL;
    db = db_blocking_open(fx.url, &fault);
    ck_assert_ptr_nonnull(db);
}

static void teardown(void)
{
    db_blocking_close(db);
}

static enum err migrate(const struct sql *const *migrations)
{
    return db_migrate(db, migrations, on_progress, &fault);
}

START_TEST(applies_what_is_missing_in_order)
{
    ck_assert_int_eq(migrate((const struct sql *const[]){ &first, NULL }), OK);
    ck_assert_str_eq(applied, "0001_ground ");
    ck_assert_int_eq(migrate((const struct sql *const[]){ &first, &second, NULL }), OK);
    ck_assert_str_eq(applied, "0001_ground 0002_more ");
    ck_assert_int_eq(migrate((const struct sql *const[]){ &first, &second, NULL }), OK);
    ck_assert_str_eq(applied, "0001_ground 0002_more ");
    ck_assert_str_eq(fx_sql("SELECT string_agg(version || name, ' ') FROM schema_migrations"),
                     "10001_ground 20002_more");
    ck_assert_str_eq(fx_sql("SELECT count(b) + count(*) FROM ground"), "2");
    ck_assert_int_eq((int) db_migrations_version((const struct sql *const[]){ &first, &second, NULL }), 2);
}
END_TEST

START_TEST(leaves_nothing_of_a_broken_one)
{
    static const struct sql *const bad[] = { &broken, &ending };
    static const char *const why[] = { "0003_broken: ERROR:  relation \"nowhere\" does not exist",
                                       "0003_ending: the migration ends its own transaction" };
    for (int i = 0; i < 2; i++) {
        ck_assert_int_ne(migrate((const struct sql *const[]){ &first, &second, bad[i], NULL }), OK);
        ck_assert_msg(strncmp(fault, why[i], strlen(why[i])) == 0, "%s", fault);
        ck_assert_str_eq(applied, "0001_ground 0002_more ");
        ck_assert_str_eq(fx_sql("SELECT max(version) FROM schema_migrations"), "2");
        ck_assert_str_eq(fx_sql("SELECT coalesce(to_regclass('half')::text, '')"), "");
    }
    ck_assert_str_eq(fx_sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
}
END_TEST

START_TEST(refuses_a_database_that_is_newer_or_strange)
{
    ck_assert_int_eq(migrate((const struct sql *const[]){ &first, &second, NULL }), OK);
    ck_assert_int_eq(migrate((const struct sql *const[]){ &first, NULL }), ERR_INVALID);
    ck_assert_str_eq(fault, "the database is newer than this binary: version 2, known 1");
    fx_sql("DELETE FROM schema_migrations WHERE version = 1");
    ck_assert_int_eq(migrate((const struct sql *const[]){ &first, &second, NULL }), ERR_INVALID);
    ck_assert_str_eq(fault, "migration 2 was applied before an older one");
}
END_TEST

/* Eight processes at once: each migration is applied by one of them. */
START_TEST(lets_any_number_start_at_once)
{
    pid_t children[8];
    for (int i = 0; i < 8; i++) {
        children[i] = fork();
        if (children[i] != 0) continue;
        const char *why = NULL;
        struct db_blocking *own = db_blocking_open(fx.url, &why);
        enum err err = own ? db_migrate(own, (const struct sql *const[]){ &first, &second, NULL }, NULL, &why)
                           : ERR_UNAVAILABLE;
        if (err != OK) fprintf(stderr, "child: %s\n", why);
        _exit(err == OK ? 0 : 1);
    }
    for (int i = 0; i < 8; i++) {
        int status = -1;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_str_eq(fx_sql("SELECT count(*) FROM ground"), "2");
}
END_TEST

START_TEST(answers_like_the_loop_does)
{
    static const struct sql add = { 0, 1, "add", "test/add.sql", "SELECT $1::bigint + 1" };
    static const struct sql wrong = { 0, 0, "wrong", "test/wrong.sql", "SELECT 1 / 0" };
    const struct db_result *r = NULL;
    struct arena arena;
    struct db_args args;
    arena_init(&arena);
    db_args_init(&args, &arena);
    db_i64(&args, 41);
    ck_assert_int_eq(db_blocking_exec(db, &add, &args, &arena, &r), OK);
    ck_assert_int_eq((int) db_cell_i64(r, 0, 0), 42);
    ck_assert_int_eq(db_blocking_exec(db, &wrong, NULL, &arena, &r), ERR_SQL);
    ck_assert_str_eq(db_sqlstate(r), "22012");
    fx_sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'operator'");
    ck_assert_int_eq(db_blocking_exec(db, &wrong, NULL, &arena, &r), ERR_UNAVAILABLE);
    ck_assert_ptr_null(r);
    arena_fini(&arena);
    const char *why = NULL;
    ck_assert_ptr_null(db_blocking_open("postgresql://127.0.0.1:1/x", &why));
    ck_assert_str_eq(why, "Connection refused");
}
END_TEST

static int check(const struct sql *const *migrations, char *lines, size_t size)
{
    struct buf out;
    buf_init(&out, 4096);
    int n = db_check(db, migrations, &out);
    snprintf(lines, size, "%.*s", STR_FMT(buf_view(&out)));
    buf_fini(&out);
    return n;
}

START_TEST(names_what_is_missing)
{
    static const struct sql *const migrations[] = { &first, &second, NULL };
    char lines[4096];
    ck_assert_int_eq(check(migrations, lines, sizeof lines), 1);
    ck_assert_str_eq(lines, "schema version is 0, expected 2: run the migrate command\n");
    ck_assert_int_eq(migrate(migrations), OK);
    ck_assert_int_eq(check(migrations, lines, sizeof lines), 0);
    ck_assert_str_eq(lines, "");
    db_blocking_close(db);
    fx_sql("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN;"
           "ALTER ROLE plain SET default_transaction_read_only = on; GRANT SELECT ON schema_migrations TO plain");
    char url[256];
    snprintf(url, sizeof url, "postgresql:///postgres?host=%s&user=plain", fx.dir);
    db = db_blocking_open(url, &fault);
    ck_assert_int_eq(check((const struct sql *const[]){ &first, NULL }, lines, sizeof lines), 3);
    ck_assert_ptr_nonnull(strstr(lines, "the database role may not replicate: "));
    ck_assert_ptr_nonnull(strstr(lines, "the database is read-only: "));
    ck_assert_ptr_nonnull(strstr(lines, "schema version is 2, expected 1: use a newer binary\n"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("db migrate");
    TCase *t = tcase_create("migrate");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, applies_what_is_missing_in_order);
    tcase_add_test(t, leaves_nothing_of_a_broken_one);
    tcase_add_test(t, refuses_a_database_that_is_newer_or_strange);
    tcase_add_test(t, lets_any_number_start_at_once);
    tcase_add_test(t, answers_like_the_loop_does);
    tcase_add_test(t, names_what_is_missing);
    suite_add_tcase(suite, t);
    return fixture_pg_run(suite);
}
