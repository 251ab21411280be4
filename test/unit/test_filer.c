/* Files that are written together: all of them, whole, each with its own outcome, also when it is closed meanwhile. */
#include "core/filer.h"

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/outbox.h"

enum { MANY = 150 };   /* more than two groups */

static uv_loop_t loop;
static struct filer *filer;
static char dir[] = "/tmp/tally-test-filer-XXXXXX";
static struct filing filings[MANY];
static enum err ends[MANY];
static int done_count;
static bool close_in_done;

static void on_done(struct filing *f, enum err err)
{
    ends[f - filings] = err;
    done_count++;
    if (close_in_done) filer_close(filer);
    close_in_done = false;
}

static void submit(int i, const char *name)
{
    filings[i] = (struct filing){ .content = STR("some content"), .done = on_done };
    snprintf(filings[i].name, sizeof filings[i].name, "%s", name);
    ck_assert_int_eq(filer_write(filer, &filings[i]), OK);
}

static void submit_many(int count)
{
    char name[32];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%06d.eml", i);
        submit(i, name);
    }
    ck_assert_int_eq(done_count, 0);
}

static void run_until_done(int count)
{
    while (done_count < count) uv_run(&loop, UV_RUN_ONCE);
}

/* Whole ones; a temporary one that was left is a failed test. */
static int count_files(void)
{
    char path[512], text[32];
    int count = 0;
    struct dirent *entry;
    DIR *d = opendir(dir);
    while ((entry = readdir(d))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        ck_assert_int_ne(entry->d_name[0], '.');
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        FILE *f = fopen(path, "r");
        ck_assert_ptr_nonnull(f);
        ck_assert_ptr_nonnull(fgets(text, sizeof text, f));
        ck_assert_str_eq(text, "some content");
        fclose(f);
        count++;
    }
    closedir(d);
    return count;
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    filer = filer_new(&loop, dir, ".eml");
    ck_assert_ptr_nonnull(filer);
}

static void teardown(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    outbox_prune(dir, "", 0);
    rmdir(dir);
}

START_TEST(all_that_come_at_once_are_there)
{
    submit_many(MANY);
    run_until_done(MANY);
    for (int i = 0; i < MANY; i++) ck_assert_int_eq(ends[i], OK);
    ck_assert_int_eq(count_files(), MANY);
    filer_close(filer);
}
END_TEST

START_TEST(one_that_cannot_be_written_costs_the_others_nothing)
{
    submit(0, "a.eml");
    submit(1, "no/such/directory.eml");
    submit(2, "b.eml");
    run_until_done(3);
    ck_assert_int_eq(ends[0], OK);
    ck_assert_int_eq(ends[1], ERR_UNAVAILABLE);
    ck_assert_int_eq(filings[1].error, ENOENT);
    ck_assert_int_eq(ends[2], OK);
    ck_assert_int_eq(count_files(), 2);
    filer_close(filer);
}
END_TEST

START_TEST(without_the_directory_none_is_written)
{
    ck_assert_int_eq(rmdir(dir), 0);
    submit_many(2);
    run_until_done(2);
    ck_assert_int_eq(ends[0], ERR_UNAVAILABLE);
    ck_assert_int_eq(ends[1], ERR_UNAVAILABLE);
    filer_close(filer);
}
END_TEST

START_TEST(closed_before_the_next_turn_none_is_written)
{
    submit_many(3);
    filer_close(filer);
    ck_assert_int_eq(done_count, 0);
    ck_assert_int_eq(filer_write(filer, &filings[0]), ERR_CLOSED);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, 3);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(ends[i], ERR_CLOSED);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(closed_by_the_first_what_is_said_to_be_written_is)
{
    close_in_done = true;
    submit_many(MANY);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(done_count, MANY);
    int written = 0;
    for (int i = 0; i < MANY; i++) written += ends[i] == OK;
    ck_assert_int_gt(written, 0);
    ck_assert_int_lt(written, MANY);
    ck_assert_int_eq(count_files(), written);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("filer");
    TCase *tcase = tcase_create("filer");
    tcase_set_timeout(tcase, 12);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_that_come_at_once_are_there);
    tcase_add_test(tcase, one_that_cannot_be_written_costs_the_others_nothing);
    tcase_add_test(tcase, without_the_directory_none_is_written);
    tcase_add_test(tcase, closed_before_the_next_turn_none_is_written);
    tcase_add_test(tcase, closed_by_the_first_what_is_said_to_be_written_is);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
