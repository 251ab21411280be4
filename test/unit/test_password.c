/* Passwords: our own hashes, those of other systems, and the accounts that do not exist. */
#include "core/password.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/digest.h"

static uv_loop_t loop;
static struct work_queue *queue;
static struct password_job job;
static int done_count;
static enum err done_err;

static void setup(void)
{
    digest_init();
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    queue = work_queue_new(&loop, 1, 1);
}

static void teardown(void)
{
    work_queue_close(queue);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void done(struct password_job *j, enum err err)
{
    ck_assert_ptr_eq(j->arg, &loop);
    done_count++;
    done_err = err;
}

static bool is_wiped(const struct password_job *j)
{
    static const char zero[sizeof j->password];
    return memcmp(j->password, zero, sizeof zero) == 0;
}

static void run(enum password_task task, const char *password, const char *hash)
{
    done_count = 0;
    ck_assert_int_eq(password_start(queue, &job, task, str_from(password), str_from(hash), done, &loop), OK);
    ck_assert_int_eq(done_count, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(done_err, OK);
    ck_assert(is_wiped(&job));
}

START_TEST(hashes_and_verifies)
{
    char hash[PASSWORD_HASH_BYTES], other[PASSWORD_HASH_BYTES];
    run(PASSWORD_HASH, "correct horse", NULL);
    memcpy(hash, job.hash, sizeof hash);
    ck_assert_int_eq(strncmp(hash, "$argon2id$v=19$m=47104,t=1,p=1$", 31), 0);
    ck_assert(password_hash_now(STR("correct horse"), other));
    ck_assert_str_ne(hash, other);

    run(PASSWORD_VERIFY, "correct horse", hash);
    ck_assert(job.matches && !job.needs_rehash);
    run(PASSWORD_VERIFY, "correct horse", other);
    ck_assert(job.matches && !job.needs_rehash);
    run(PASSWORD_VERIFY, "correct horsE", hash);
    ck_assert(!job.matches && !job.needs_rehash);
    run(PASSWORD_VERIFY, "", hash);
    ck_assert(!job.matches);
}
END_TEST

/* Made with the libraries themselves, outside of the code under test. */
static const struct {
    const char *what, *password, *hash;
    bool matches, rehash;
} brought_along[] = {
    { "weaker argon2id", "U*U",
      "$argon2id$v=19$m=8192,t=1,p=1$QnTlF2hwuOods6LsKjJMFw$2u///0vSLK+qmvSu1w3j/auH0EJu7LE9p9X1eUGpkrg",
      true, true },
    { "argon2id with too little memory", "U*U",
      "$argon2id$v=19$m=46080,t=2,p=1$uKiAi2pnVjTQbgq+xSlcEg$oqoxTo536SJQ4hAuJrXCx3sbDShdpbvwasMBgrjxZDw",
      true, true },
    { "stronger argon2id", "U*U",
      "$argon2id$v=19$m=65536,t=3,p=1$L5SOddGF2juEvGVnSW8mlw$X30pCQMBigs9NjJovoBnvHYTSf9RMl8JvMHkOeAoVas",
      true, false },
    { "argon2i", "U*U",
      "$argon2i$v=19$m=65536,t=3,p=1$NwE+g6sQpFd8BuzHJo8vxw$qQkMgigq5UNT1+Siwgks1el9CSdT4KNGcEqhHmHHPdE",
      true, true },
    { "weaker argon2id of another password", "U*U",
      "$argon2id$v=19$m=8192,t=1,p=1$EaT+XEdrFVr0T01YimNmSA$HQVcIve+1IIrD0uyNmxchR1r6WxHHqoFhCBgh298JfI",
      false, false },
    { "bcrypt $2a$", "U*U",
      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true, true },
    { "bcrypt $2b$", "U*U",
      "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true, true },
    { "bcrypt $2y$", "U*U",
      "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true, true },
    { "bcrypt of another password", "U*V",
      "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", false, false },
    { "argon2id cut short", "U*U",
      "$argon2id$v=19$m=47104,t=1,p=1$c29tZXNhbHQ", false, false },
    { "argon2id asking for 4 GiB", "U*U",
      "$argon2id$v=19$m=4194304,t=2,p=1$Pg1KJTpVLGmBY2Xr5FlUhA$GO9VcYsuIsNlBYTCkRpZ2T8uOo1GnKTIUN8l6UzqrSw",
      false, false },
    { "argon2id asking for a million passes", "U*U",
      "$argon2id$v=19$m=47104,t=1000000,p=1$Pg1KJTpVLGmBY2Xr5FlUhA$GO9VcYsuIsNlBYTCkRpZ2T8uOo1GnKTIUN8l6UzqrSw",
      false, false },
    { "bcrypt asking for 2^31 rounds", "U*U",
      "$2b$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", false, false },
    { "bcrypt cut short", "U*U",
      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", false, false },
    { "MD5 crypt is not taken", "U*U",
      "$1$abcdefgh$hl7dk9vvnWvGDWJ8fs6Wv1", false, false },
    { "plain text is not taken", "U*U", "U*U", false, false },
    { "DES crypt is not taken", "U*U", "abJnggxhB/yWI", false, false },
    { "no such account", "U*U", "", false, false },
};

START_TEST(hashes_of_other_systems)
{
    run(PASSWORD_VERIFY, brought_along[_i].password, brought_along[_i].hash);
    ck_assert_msg(job.matches == brought_along[_i].matches, "%s", brought_along[_i].what);
    ck_assert_msg(job.needs_rehash == brought_along[_i].rehash, "%s", brought_along[_i].what);
}
END_TEST

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double) t.tv_sec * 1e3 + (double) t.tv_nsec / 1e6;
}

/* Processor time, not time on the wall: the machine may be busy. */
START_TEST(no_account_costs_as_much_as_one)
{
    char hash[PASSWORD_HASH_BYTES];
    ck_assert(password_hash_now(STR("correct horse"), hash));
    const char *const hashes[] = { hash, "", "no hash at all" };
    double cost[3] = { 0 };
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            double start = cpu_ms();
            run(PASSWORD_VERIFY, "wrong horse", hashes[i]);
            cost[i] += cpu_ms() - start;
        }
    }
    for (int i = 1; i < 3; i++) {
        ck_assert_msg(cost[i] > cost[0] * 0.5 && cost[i] < cost[0] * 2, "%f against %f", cost[i], cost[0]);
    }
}
END_TEST

START_TEST(bounds)
{
    char longest[PASSWORD_MAX_BYTES + 1];
    memset(longest, 'x', sizeof longest);
    struct str fits = { longest, PASSWORD_MAX_BYTES }, too_long = { longest, PASSWORD_MAX_BYTES + 1 };
    ck_assert_int_eq(password_start(queue, &job, PASSWORD_HASH, too_long, STR_NONE, done, &loop), ERR_INVALID);
    ck_assert_int_eq(password_start(queue, &job, PASSWORD_HASH, STR("a\0b"), STR_NONE, done, &loop), ERR_INVALID);
    char hash[PASSWORD_HASH_BYTES];
    ck_assert(!password_hash_now(too_long, hash));

    static struct password_job second, third;
    ck_assert_int_eq(password_start(queue, &job, PASSWORD_HASH, fits, STR_NONE, done, &loop), OK);
    ck_assert_int_eq(password_start(queue, &second, PASSWORD_HASH, fits, STR_NONE, done, &loop), OK);
    ck_assert_int_eq(password_start(queue, &third, PASSWORD_HASH, fits, STR_NONE, done, &loop), ERR_FULL);
    ck_assert(is_wiped(&third));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 2);
    ck_assert_int_eq(done_err, OK);
}
END_TEST

START_TEST(a_job_that_never_ran_is_wiped_too)
{
    static struct password_job second;
    ck_assert_int_eq(password_start(queue, &job, PASSWORD_HASH, STR("secret"), STR_NONE, done, &loop), OK);
    ck_assert_int_eq(password_start(queue, &second, PASSWORD_HASH, STR("secret"), STR_NONE, done, &loop), OK);
    work_queue_close(queue);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 2);
    ck_assert(is_wiped(&job) && is_wiped(&second));
    queue = work_queue_new(&loop, 1, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("password");
    TCase *tcase = tcase_create("password");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, hashes_and_verifies);
    tcase_add_loop_test(tcase, hashes_of_other_systems, 0, sizeof brought_along / sizeof *brought_along);
    tcase_add_test(tcase, no_account_costs_as_much_as_one);
    tcase_add_test(tcase, bounds);
    tcase_add_test(tcase, a_job_that_never_ran_is_wiped_too);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
