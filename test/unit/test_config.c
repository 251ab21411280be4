/* Settings: where a value comes from, what is refused and how that is said, and the .env form. */
#include "core/config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    int64_t port, rate;
    const char *host, *secret;
    bool open;
    int mode;
};

static const struct setting table[] = {
    { .name = "TALLY_PORT", .aliases = "PORT API_PORT", .type = SETTING_INT, .min = 1, .max = 65535,
      .initial = "3000", .at = offsetof(struct settings, port), .help = "listening port" },
    { .name = "TALLY_HOST", .aliases = "HOST", .type = SETTING_TEXT, .max = 20,
      .at = offsetof(struct settings, host), .help = "listening address" },
    { .name = "TALLY_SECRET", .aliases = "SECRET", .type = SETTING_TEXT, .min = 8, .secret = true,
      .at = offsetof(struct settings, secret), .help = "key of the tokens" },
    { .name = "TALLY_OPEN", .type = SETTING_BOOL, .initial = "off", .at = offsetof(struct settings, open),
      .help = "open doors" },
    { .name = "TALLY_MODE", .type = SETTING_ENUM, .choices = "development production", .initial = "development",
      .at = offsetof(struct settings, mode), .help = "kind of use" },
    { .name = "POINTS_RATE", .type = SETTING_DECIMAL, .min = 1, .max = 2500000, .initial = "0.01",
      .at = offsetof(struct settings, rate), .help = "money per point" },
    { .name = "REDIS_URL", .aliases = "REDIS_HOST", .type = SETTING_IGNORED, .help = "points are cached in memory" },
    { 0 },
};

static struct arena arena;
static struct settings out;
static struct config_fault *notices;
static const char *const *environment;   /* name, value, name, value, NULL */
static char path[64];

static const char *fake_getenv(const char *name)
{
    for (const char *const *e = environment; e && *e; e += 2) {
        if (strcmp(*e, name) == 0) return e[1];
    }
    return NULL;
}

static void setup(void)
{
    arena_init(&arena);
    memset(&out, 0, sizeof out);
    snprintf(path, sizeof path, "/tmp/tally-test-env-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
    arena_fini(&arena);
}

static struct config_fault *read_settings(const char *const *env, const char *file)
{
    if (file) {
        FILE *f = fopen(path, "we");
        ck_assert_ptr_nonnull(f);
        fputs(file, f);
        fclose(f);
    }
    environment = env;
    return config_read(table, &(struct config_source){ file ? path : NULL, fake_getenv }, &arena, &out, &notices);
}

static void is_fault(const struct config_fault *fault, const char *text)
{
    ck_assert_msg(fault != NULL, "missing: %s", text);
    ck_assert_str_eq(fault->text, text);
}

START_TEST(uses_initial_values)
{
    ck_assert_ptr_null(read_settings(NULL, NULL));
    ck_assert_ptr_null(notices);
    ck_assert_int_eq(out.port, 3000);
    ck_assert_ptr_null(out.host);
    ck_assert(!out.open);
    ck_assert_int_eq(out.mode, 0);
    ck_assert_int_eq(out.rate, 10000);
}
END_TEST

START_TEST(prefers_environment_to_file_and_first_name_to_alias)
{
    static const struct {
        const char *env[8];
        const char *file;
        int64_t port;
        const char *notice;
    } cases[] = {
        { { NULL }, "TALLY_PORT=1\n", 1, NULL },
        { { "TALLY_PORT", "2" }, "TALLY_PORT=1\n", 2, NULL },
        { { "PORT", "2" }, NULL, 2, NULL },
        { { "API_PORT", "2" }, "PORT=3\n", 3, "PORT and API_PORT differ, PORT is used" },
        { { "PORT", "2" }, "TALLY_PORT=1\n", 1, "TALLY_PORT and PORT differ, TALLY_PORT is used" },
        { { "PORT", "2", "TALLY_PORT", "2" }, NULL, 2, NULL },
        { { "TALLY_PORT", "" }, "TALLY_PORT=1\n", 1, NULL },
        { { "TALLY_PORT", "", "PORT", "4" }, NULL, 4, NULL },
        { { NULL }, "TALLY_PORT=\n", 3000, NULL },
        { { NULL }, "TALLY_PORT=1\nTALLY_PORT=5\n", 5, NULL },
        { { "TALLY_PORT", " 7 " }, NULL, 7, NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_ptr_null(read_settings(cases[i].env, cases[i].file));
        ck_assert_msg(out.port == cases[i].port, "case %zu: %d", i, (int) out.port);
        if (cases[i].notice) is_fault(notices, cases[i].notice);
        else ck_assert_ptr_null(notices);
    }
}
END_TEST

START_TEST(refuses_by_the_name_that_was_used)
{
    static const struct {
        const char *name, *value, *fault;
    } cases[] = {
        { "TALLY_PORT", "99999", "TALLY_PORT: \"99999\" is not a whole number within 1..65535" },
        { "PORT", "0", "PORT: \"0\" is not a whole number within 1..65535" },
        { "API_PORT", "80a", "API_PORT: \"80a\" is not a whole number within 1..65535" },
        { "PORT", "80.0", "PORT: \"80.0\" is not a whole number within 1..65535" },
        { "PORT", "9223372036854775808", "PORT: \"9223372036854775808\" is not a whole number within 1..65535" },
        { "PORT", "a\nb\x1b", "PORT: \"a?b?\" is not a whole number within 1..65535" },
        { "TALLY_OPEN", "maybe", "TALLY_OPEN: \"maybe\" is not one of 1, 0, true, false, on, off, yes, no" },
        { "TALLY_MODE", "test", "TALLY_MODE: \"test\" is not one of development production" },
        { "TALLY_MODE", "   ", "TALLY_MODE: \"   \" is not one of development production" },
        { "POINTS_RATE", "0", "POINTS_RATE: \"0\" is not a number with at most 6 decimals within 0.000001..2.5" },
        { "POINTS_RATE", "0.0000001",
          "POINTS_RATE: \"0.0000001\" is not a number with at most 6 decimals within 0.000001..2.5" },
        { "POINTS_RATE", "2.500001",
          "POINTS_RATE: \"2.500001\" is not a number with at most 6 decimals within 0.000001..2.5" },
        { "TALLY_HOST", "123456789012345678901",
          "TALLY_HOST: \"123456789012345678901\" is not a text with a length within 0..20" },
        { "SECRET", "hunter2", "SECRET: the value is not a text with a length at least 8" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *env[] = { cases[i].name, cases[i].value, NULL };
        const struct config_fault *fault = read_settings(env, NULL);
        is_fault(fault, cases[i].fault);
        ck_assert_ptr_null(fault->next);
        ck_assert_ptr_null(notices);
    }
}
END_TEST

START_TEST(shortens_what_it_shows)
{
    char value[200];
    memset(value, 'x', sizeof value - 1);
    memcpy(value + 59, "\xc3\xa9", 2);
    value[sizeof value - 1] = 0;
    const char *env[] = { "PORT", value, NULL };
    const struct config_fault *fault = read_settings(env, NULL);
    ck_assert(strlen(fault->text) < 150 && strstr(fault->text, "x…\""));
    ck_assert(str_is_utf8(str_from(fault->text)));
}
END_TEST

START_TEST(reports_all_faults_at_once)
{
    const char *env[] = { "PORT", "x", "TALLY_OPEN", "x", "SECRET", "x", NULL };
    const struct config_fault *fault = read_settings(env, NULL);
    int n = 0;
    for (const struct config_fault *f = fault; f; f = f->next) n++;
    ck_assert_int_eq(n, 3);
}
END_TEST

START_TEST(understands_each_type)
{
    static const struct { const char *text; bool value; } bools[] = {
        { "1", true }, { "0", false }, { "true", true }, { "FALSE", false }, { "On", true }, { "off", false },
        { "yes", true }, { "no", false },
    };
    for (size_t i = 0; i < sizeof bools / sizeof *bools; i++) {
        const char *env[] = { "TALLY_OPEN", bools[i].text, NULL };
        ck_assert_ptr_null(read_settings(env, NULL));
        ck_assert_msg(out.open == bools[i].value, "%s", bools[i].text);
    }
    const char *env[] = { "TALLY_MODE", "Production", "POINTS_RATE", "2.5", "TALLY_HOST", " ::1 ", "SECRET",
                          "12345678", NULL };
    ck_assert_ptr_null(read_settings(env, NULL));
    ck_assert_int_eq(out.mode, 1);
    ck_assert_int_eq(out.rate, 2500000);
    ck_assert_str_eq(out.host, " ::1 ");
    ck_assert_str_eq(out.secret, "12345678");
}
END_TEST

START_TEST(tells_of_ignored_and_unknown_names)
{
    const char *env[] = { "REDIS_HOST", "localhost", NULL };
    ck_assert_ptr_null(read_settings(env, NULL));
    is_fault(notices, "REDIS_HOST is set, but not used: points are cached in memory");
    ck_assert_ptr_null(notices->next);

    ck_assert_ptr_null(read_settings(NULL, "TALLY_PROT=80\nSOMEBODY_ELSES=1\n"));
    ck_assert(notices && strstr(notices->text, "TALLY_PROT in ") == notices->text);
    ck_assert_ptr_null(notices->next);
}
END_TEST

START_TEST(treats_the_file_with_care)
{
    struct config_source missing = { "/nonexistent/.env", fake_getenv };
    ck_assert_ptr_null(config_read(table, &missing, &arena, &out, &notices));

    const struct config_fault *fault = read_settings(NULL, "TALLY_PORT=80\n\nnonsense\n");
    ck_assert(fault && strstr(fault->text, "line 3 is not of the form NAME=value"));

    struct config_source directory = { "/tmp", fake_getenv };
    ck_assert_ptr_nonnull(config_read(table, &directory, &arena, &out, &notices));
}
END_TEST

START_TEST(prints_help)
{
    struct buf b;
    buf_init(&b, 4096);
    config_help(table, &b);
    static const char *const wanted =
        "  TALLY_PORT    3000         listening port [also PORT API_PORT]\n"
        "  TALLY_HOST    -            listening address [also HOST]\n"
        "  TALLY_SECRET  -            key of the tokens [also SECRET]\n"
        "  TALLY_OPEN    off          open doors\n"
        "  TALLY_MODE    development  kind of use (one of development production)\n"
        "  POINTS_RATE   0.01         money per point\n"
        "  REDIS_URL                  points are cached in memory (accepted, not used) [also REDIS_HOST]\n";
    ck_assert_msg(str_eq(buf_view(&b), str_from(wanted)), "%.*s", STR_FMT(buf_view(&b)));
    buf_fini(&b);
}
END_TEST

/* "name=value|" for each pair. */
static void collect(void *arg, struct str name, struct str value)
{
    buf_str(arg, name);
    buf_char(arg, '=');
    buf_str(arg, value);
    buf_char(arg, '|');
}

static const struct {
    const char *text, *pairs;   /* pairs is NULL when malformed */
    int line;
} env_texts[] = {
    { "", "", 0 }, { "\n\n", "", 0 }, { "# comment", "", 0 }, { "  # comment\n", "", 0 },
    { "A=1", "A=1|", 0 }, { "A=1\n", "A=1|", 0 }, { "A=1\r\nB=2\r\n", "A=1|B=2|", 0 }, { "A=", "A=|", 0 },
    { " A = 1 ", "A=1|", 0 }, { "A=1 2", "A=1 2|", 0 }, { "A=1 # c", "A=1|", 0 }, { "A=1#2", "A=1#2|", 0 },
    { "A=#c", "A=|", 0 }, { "A= #c", "A=|", 0 }, { "A=b=c", "A=b=c|", 0 }, { "a_1=x", "a_1=x|", 0 },
    { "A=it's", "A=it's|", 0 }, { "A=$HOME", "A=$HOME|", 0 }, { "A=\\n", "A=\\n|", 0 },
    { "A=\"1\"", "A=1|", 0 }, { "A=\" 1 \" # c", "A= 1 |", 0 }, { "A=\"a\\nb\\t\\r\\\"\\\\\"", "A=a\nb\t\r\"\\|", 0 },
    { "A=\"C:\\q\"", "A=C:\\q|", 0 }, { "A=\"#\"", "A=#|", 0 }, { "A=\"\"", "A=|", 0 },
    { "A=\"a\nb\"\nB=1", "A=a\nb|B=1|", 0 },
    { "A='a\\n\"b'", "A=a\\n\"b|", 0 }, { "A='a\nb'", "A=a\nb|", 0 }, { "A='' ", "A=|", 0 },
    { "export A=1", "A=1|", 0 }, { "export\tA='1'", "A=1|", 0 }, { "export=1", "export=1|", 0 },
    { "export =1", "export=1|", 0 }, { "\xef\xbb\xbf" "A=1", "A=1|", 0 }, { "A=\xc3\xa9", "A=\xc3\xa9|", 0 },
    { "A", NULL, 1 }, { "A=1\nB", NULL, 2 }, { "A=1\n\n=2", NULL, 3 }, { "1A=1", NULL, 1 }, { "A-B=1", NULL, 1 },
    { "A B=1", NULL, 1 }, { "export A", NULL, 1 }, { "export A B=1", NULL, 1 }, { "A=\"1", NULL, 1 },
    { "A=\"1\\\"", NULL, 1 }, { "A='1", NULL, 1 }, { "A=1\nB='x\ny", NULL, 2 }, { "A=\"1\"2", NULL, 1 },
    { "A=\"x\ny\"\nB", NULL, 3 }, { "A: 1", NULL, 1 }, { "[section]", NULL, 1 }, { "\xc3\xa9=1", NULL, 1 },
};

START_TEST(reads_the_env_form)
{
    for (size_t i = 0; i < sizeof env_texts / sizeof *env_texts; i++) {
        struct buf b;
        buf_init(&b, 4096);
        int line = 0;
        bool ok = env_parse(str_from(env_texts[i].text), &arena, collect, &b, &line);
        ck_assert_msg(ok == (env_texts[i].pairs != NULL), "%s", env_texts[i].text);
        ck_assert_msg(line == env_texts[i].line, "%s: line %d", env_texts[i].text, line);
        if (ok) ck_assert_msg(str_eq(buf_view(&b), str_from(env_texts[i].pairs)), "%s: %.*s", env_texts[i].text,
                              STR_FMT(buf_view(&b)));
        buf_fini(&b);
    }
    int line = 0;
    struct buf b;
    buf_init(&b, 100);
    ck_assert(!env_parse(STR("A=1\nB=2\0\n"), &arena, collect, &b, &line) && line == 2);
    ck_assert(!env_parse(STR("A='\0'"), &arena, collect, &b, &line) && line == 1);
    buf_fini(&b);
}
END_TEST

int main(void)
{
    TCase *tc = tcase_create("config");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, uses_initial_values);
    tcase_add_test(tc, prefers_environment_to_file_and_first_name_to_alias);
    tcase_add_test(tc, refuses_by_the_name_that_was_used);
    tcase_add_test(tc, shortens_what_it_shows);
    tcase_add_test(tc, reports_all_faults_at_once);
    tcase_add_test(tc, understands_each_type);
    tcase_add_test(tc, tells_of_ignored_and_unknown_names);
    tcase_add_test(tc, treats_the_file_with_care);
    tcase_add_test(tc, prints_help);
    tcase_add_test(tc, reads_the_env_form);
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
